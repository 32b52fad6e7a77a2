import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CardFile } from './CardFile.ts';
import { GuestCommand } from './GuestCommand.ts';
import type { GuestImage } from './GuestImage.ts';
import { guestReportSchema, type GuestRequest } from './GuestWire.ts';
import { LineServer } from './LineServer.ts';
import { Qmp } from './Qmp.ts';

export interface CommandOptions {
  /** As the unprivileged account instead of root. */
  readonly technician?: boolean;
  readonly input?: string;
}

/**
 * A machine in software emulation: a stock Debian kernel with udevd, USB ports, a card reader with
 * two slots and an SD host, driven from here command by command.
 */
export class Guest {
  /** A folder of the host for backing files; gone after {@link powerOff}. */
  readonly folder: string;
  readonly qmp: Qmp;
  readonly #process: ChildProcess;
  readonly #agent: LineServer;
  readonly #commands: Map<number, GuestCommand>;
  #next = 1;

  private constructor(
    folder: string,
    qmp: Qmp,
    process: ChildProcess,
    agent: LineServer,
    commands: Map<number, GuestCommand>,
  ) {
    this.folder = folder;
    this.qmp = qmp;
    this.#process = process;
    this.#agent = agent;
    this.#commands = commands;
  }

  /**
   * Powers on and waits until the guest takes commands.
   * @param programDisk see ProgramDisk.ts; read-only at /program
   * @throws Error with the end of the console where the machine stops first
   */
  static async boot(image: GuestImage, programDisk: string): Promise<Guest> {
    const folder = await mkdtemp(path.join(tmpdir(), 'boxwright-guest-'));
    // QEMU 7.2 answers REQUEST SENSE for the first unit of a reader only (hw/scsi/scsi-bus.c), so the
    // guest would never learn of a change in the second: its card is there from power-on.
    const readerCard = await CardFile.create(folder, 'reader-card', 320);
    const commands = new Map<number, GuestCommand>();
    const { promise: ready, resolve: becomeReady } = Promise.withResolvers<null>();
    const qmp = await Qmp.listen(path.join(folder, 'qmp'));
    const agent = await LineServer.listen(path.join(folder, 'agent'), (line) => {
      const report = guestReportSchema.parse(JSON.parse(line));
      if (report.type === 'ready') becomeReady(null);
      else commands.get(report.id)?.receive(report);
    });
    const machine = spawn(
      'qemu-system-x86_64',
      machineArguments(image, programDisk, folder, readerCard),
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let complaint = '';
    machine.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    const guest = new Guest(folder, qmp, machine, agent, commands);
    const stopped = once(machine, 'exit').then(async () => {
      const console = await readFile(path.join(folder, 'console'), 'utf8').catch(() => '');
      return `the machine stopped while it booted: ${complaint}${console.slice(-2000)}`;
    });
    const trouble = await Promise.race([ready, stopped]);
    if (trouble !== null) {
      await guest.powerOff();
      throw new Error(trouble);
    }
    await qmp.execute('qmp_capabilities');
    return guest;
  }

  start(argv: readonly [string, ...string[]], options: CommandOptions = {}): GuestCommand {
    const id = this.#next++;
    const command = new GuestCommand(argv, (signal) => {
      this.#send({ type: 'kill', id, signal });
    });
    this.#commands.set(id, command);
    const { technician = false, input = '' } = options;
    this.#send({ type: 'start', id, argv: [...argv], technician, input });
    return command;
  }

  /** Runs a command of which success is expected. @throws Error with its error output otherwise */
  async run(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
    const finished = await this.start(argv, options).finished;
    if (finished.code !== 0) throw new Error(`${argv.join(' ')}: ${JSON.stringify(finished)}`);
    return finished.stdout;
  }

  /**
   * @param disk id or QOM path of the disk in QEMU
   * @param rate most it writes in a second from now on, in bytes; null for no limit
   */
  async limitWriting(disk: string, rate: number | null): Promise<void> {
    const unlimited = { bps: 0, bps_rd: 0, iops: 0, iops_rd: 0, iops_wr: 0 };
    await this.qmp.execute('block_set_io_throttle', { id: disk, ...unlimited, bps_wr: rate ?? 0 });
  }

  /** Ends the machine and removes its folder. Safe to call twice. */
  async powerOff(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await gone;
    }
    this.#agent.close();
    this.qmp.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  #send(request: GuestRequest): void {
    void this.#agent.send(request);
  }
}

function machineArguments(
  image: GuestImage,
  programDisk: string,
  folder: string,
  readerCard: CardFile,
): string[] {
  const kernelWords = ['console=ttyS0', 'quiet', 'mitigations=off', 'audit=0', 'panic=-1'];
  const options = {
    machine: 'q35',
    accel: 'tcg,thread=multi',
    smp: '2',
    cpu: 'max',
    m: '1024',
    kernel: image.kernel,
    initrd: image.initrd,
    append: kernelWords.join(' '),
    serial: `file:${path.join(folder, 'console')}`,
    qmp: `unix:${path.join(folder, 'qmp')}`,
    display: 'none',
    nic: 'none',
  };
  const drives = [
    `file=${image.root},format=raw,if=virtio,snapshot=on,cache=unsafe`,
    `file=${programDisk},format=raw,if=virtio,readonly=on`,
    `file=${readerCard.path},format=raw,if=none,id=slot1`,
    ...['slot0', 'sdslot'].map((slot) => `if=none,id=${slot}`),
  ];
  const devices = [
    'virtio-serial',
    'virtserialport,chardev=agent,name=test',
    'qemu-xhci,id=usb,p2=8,p3=8',
    'usb-bot,id=reader,bus=usb.0,port=1',
    'scsi-hd,id=card0,bus=reader.0,lun=0,drive=slot0,removable=on,vendor=Generic,product=Slot-A',
    'scsi-hd,id=card1,bus=reader.0,lun=1,drive=slot1,removable=on,vendor=Generic,product=Slot-B',
    'sdhci-pci,id=sdhost',
    'sd-card,id=sdcard,drive=sdslot',
  ];
  return [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    ...Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]),
    ...drives.flatMap((drive) => ['-drive', drive]),
    '-chardev',
    `socket,id=agent,path=${path.join(folder, 'agent')}`,
    ...devices.flatMap((device) => ['-device', device]),
  ];
}
