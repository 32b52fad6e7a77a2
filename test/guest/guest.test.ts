import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { Guest } from '../support/guest/Guest.ts';
import { guestImage } from '../support/guest/GuestImage.ts';
import { makeProgramDisk } from '../support/guest/ProgramDisk.ts';
import { images } from './images.ts';
import { readerSlots } from './readerSlots.ts';
import { sdHost } from './sdHost.ts';
import { specialDrives } from './specialDrives.ts';
import { systemStorage } from './systemStorage.ts';
import { unfinishedCard } from './unfinishedCard.ts';
import { usbPulled } from './usbPulled.ts';

/**
 * One machine for all of it, because powering on costs the most. The cases of a file run in order
 * and plug in what they need themselves.
 */
describe('in a guest with a stock kernel and udevd', () => {
  let folder = '';
  let guest: Guest | null = null;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'boxwright-program-'));
    const disk = path.join(folder, 'program.ext4');
    await makeProgramDisk(disk, async (content) => {
      const imageFolder = path.join(content, 'images');
      await mkdir(imageFolder);
      for (const image of Object.values(images)) await image.writeTo(imageFolder);
    });
    guest = await Guest.boot(await guestImage(), disk);
  });

  afterAll(async () => {
    await guest?.powerOff();
    await rm(folder, { recursive: true, force: true });
  });

  const booted = (): Guest => {
    if (guest === null) throw new Error('the guest did not boot');
    return guest;
  };

  describe('storage that the system stands on', () => {
    systemStorage(booted);
  });
  describe('a card reader with two slots', () => {
    readerSlots(booted);
  });
  describe('a USB drive that is pulled', () => {
    usbPulled(booted);
  });
  describe('an SD host of the machine', () => {
    sdHost(booted);
  });
  describe('drives out of the ordinary', () => {
    specialDrives(booted);
  });
  describe('a flash that was killed', () => {
    unfinishedCard(booted);
  });
});
