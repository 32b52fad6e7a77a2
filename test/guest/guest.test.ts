import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { Guest } from '../support/guest/Guest.ts';
import { guestImage } from '../support/guest/GuestImage.ts';
import { makeProgramDisk } from '../support/guest/ProgramDisk.ts';
import { TestImage } from '../support/guest/TestImage.ts';
import { readerSlots } from './readerSlots.ts';
import { sdHost } from './sdHost.ts';
import { specialDrives } from './specialDrives.ts';
import { systemStorage } from './systemStorage.ts';
import type { Station } from './Station.ts';
import { unfinishedCard } from './unfinishedCard.ts';
import { usbPulled } from './usbPulled.ts';

/**
 * One machine for all of it, because powering on costs the most. The cases of a file run in order
 * and plug in what they need themselves.
 */
describe('in a guest with a stock kernel and udevd', () => {
  let folder = '';
  let station: Station | null = null;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'boxwright-program-'));
    const disk = path.join(folder, 'program.ext4');
    const images = path.join(folder, 'images');
    await mkdir(images);
    const small = await TestImage.create(images, 'small.img.gz', 6);
    const large = await TestImage.create(images, 'large.img', 32);
    await makeProgramDisk(disk, images);
    station = { small, large, guest: await Guest.boot(await guestImage(), disk) };
  });

  afterAll(async () => {
    await station?.guest.powerOff();
    await rm(folder, { recursive: true, force: true });
  });

  const booted = (): Station => {
    if (station === null) throw new Error('the guest did not boot');
    return station;
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
