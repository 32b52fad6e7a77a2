/** Everything else that is said. The English table is the list of all keys; see WordTable. */
export const sentences = {
  // What the writer is doing with a card
  'phase.preparing': 'preparing',
  'phase.writing': 'writing',
  'phase.verifying': 'verifying',
  'phase.finishing': 'finishing',
  'phase.ejecting': 'ejecting',

  // The state of a card, where no phase tells more
  'state.planned': 'waiting',
  'state.awaiting-permission': 'permission',
  'state.writing': 'writing',
  'state.verifying': 'verifying',
  'state.ejecting': 'ejecting',
  'state.done': 'done',
  'state.failed': 'FAILED',
  'state.cancelled': 'cancelled',
  'state.cancelling': 'cancelling',

  // What a card is now
  'condition.untouched': 'It was not changed.',
  'condition.unfinished': 'It is unfinished: it has no partition table and cannot boot.',
  'condition.unverified': 'It is complete, but nobody has read it back.',
  'condition.verified': 'It was read back, and every byte is right.',
  'condition.different': 'It is not the same as the image.',
  'condition.unknown': 'What is on it now is not known; take it as unusable.',

  // Cards
  'card.practice': 'practice card',

  // Progress
  'progress.left': '{{time}} left',
  'progress.line': '{{card}}: {{phase}}',
  'progress.line-percent': '{{card}}: {{phase}} {{percent}}',
  'progress.line-speed': '{{card}}: {{phase}} {{percent}}, {{speed}}',
  'progress.line-left': '{{card}}: {{phase}} {{percent}}, {{speed}}, {{time}} left',
  'progress.stopping': 'Stopping. Press Ctrl+C again to end at once.',
  'progress.permission':
    'Writing to drives needs administrator rights; you may be asked for a password now.',

  // The end of a job
  'result.verified': '{{card}}: verified. {{written, bytes}} written and read back in {{time}}.',
  'result.compared': '{{card}}: the same as the image. {{read, bytes}} compared in {{time}}.',
  'result.unverified': '{{card}}: written, not verified. {{written, bytes}} in {{time}}.',
  'result.failed': '{{card}}: FAILED. {{cause}} {{condition}}',
  'result.cancelled': '{{card}}: cancelled. {{condition}}',
  'result.differs':
    '{{card}}: {{condition}} {{difference, bytes}} differ, first at byte {{offset, integer}}.',
  'result.next': 'Next: {{nextStep}}',
  'result.sha256': 'SHA-256 of the image: {{sha256}}',
  'result.old-data':
    'What was on the card before can still be read in the places that the image leaves unused. Flash without a block map if that must not be.',
  'result.all_other': 'All {{count, integer}} cards are done.',
  'result.some': '{{done, integer}} of {{all, integer}} cards are done.',
  'result.nothing-done': 'Nothing was done.',

  // What to do next
  'after.ejected': 'You can take it out now and start the box with it.',
  'after.not-ejectable': 'It is a virtual drive, which cannot be ejected.',
  'after.kept': 'It was not ejected. Eject it before you take it out.',
  'next.compared': 'You can go on using it; nothing on it was changed.',
  'next.differs': 'If it should be that image, flash it again.',
  'next.flash-again': 'Flash it again before you use it.',
  'next.verify':
    'Read it back before you rely on it: boxwright verify {{image, argument}} --on {{drive, argument}}',
  'next.sectors':
    'Try it in its box before you rely on it: it has sectors of {{bytes, integer}} bytes, and most images are made for 512, which no box can start from here.',
  'next.practice':
    'This was a practice card, the file {{path}}. For a real one, put it in its reader, find it with "boxwright drives", then: boxwright flash {{image, argument}} --to DRIVE',

  // Asking before anything is lost
  'ask.heading_one': 'Everything on this drive will be lost:',
  'ask.heading_other': 'Everything on these {{count, integer}} drives will be lost:',
  'ask.image': 'Image: {{path}} ({{size}})',
  'ask.yes': 'Type yes to go on:',
  'ask.name':
    'This does not look like a card for a box. Type {{name}} to write to it all the same:',
  'ask.file': 'the file {{path}}, which was there before',
  'word.yes': 'yes',
  'word.unknown-size': 'size unknown',

  // Drives
  'drive.heading': '{{path}}  {{label}}',
  'drive.facts': '{{size}}, {{bus}}',
  'drive.facts-serial': '{{size}}, {{bus}}, serial {{serial}}',
  'drive.no-medium': 'no card',
  'drive.sectors':
    'Its sectors have {{bytes, integer}} bytes. Most images are made for 512: a box then finds no partition on it.',
  'drive.partition': '{{name}}  {{details}}',
  'drive.used': '{{used, bytes}} of {{size, bytes}} used',
  'drive.mounted': 'at {{places}}',
  'drive.unlabelled': 'no label',
  'drive.none':
    'No drive that can be flashed was found. Put a card in its reader, then look again.',
  'drive.hidden_one': 'One more drive is not shown because it is never flashed; --all shows it.',
  'drive.hidden_other':
    '{{count, integer}} more drives are not shown because they are never flashed; --all shows them.',
  'verdict.allowed': 'may be flashed',
  'verdict.warned': 'look twice',
  'verdict.refused': 'refused',
  'bus.usb': 'USB',
  'bus.sd': 'SD slot',
  'bus.emmc': 'eMMC',
  'bus.thunderbolt': 'Thunderbolt',
  'bus.firewire': 'FireWire',
  'bus.sata': 'SATA',
  'bus.nvme': 'NVMe',
  'bus.virtio': 'virtio',
  'bus.virtual': 'virtual',
  'bus.other': 'unknown bus',

  // Inspecting
  'inspect.heading': '{{drive}}:',
  'inspect.unfinished':
    'Unfinished: its flash of {{started}} did not end. It cannot boot; flash it again.',
  'inspect.unfinished-image': 'The image was to be the one with SHA-256 {{sha256}}.',
  'inspect.table.mbr': 'Partition table: MBR',
  'inspect.table.gpt': 'Partition table: GPT',
  'inspect.table.none': 'No partition table: no box can boot from it.',
  'inspect.partition':
    '{{index}}: {{type}}, {{size, bytes}} from byte {{start, integer}}, {{fileSystem}}, {{label}}',
  'inspect.no-file-system': 'no known file system',

  // A failure on the standard error output
  'output.lost':
    'boxwright: Not everything that was to be said could be written to the standard output: {{cause, system}}.',
  'problem.cause': 'boxwright: {{cause}}',

  // Help
  'help.program': 'Writes images onto the cards of IoT boxes, and reads back every byte.',
  'help.drives': 'list the drives, and which of them may be flashed',
  'help.flash': 'write an image onto one or more cards, then read it back',
  'help.verify': 'compare a card with an image, without changing it',
  'help.inspect': 'tell what is on a card, and whether its flash was finished',
  'help.image': 'the image: raw, or compressed with gzip, xz, zstd, bzip2 or zip',
  'help.option.all': 'also show drives that are never flashed',
  'help.option.json': 'one JSON object a line, for programs (docs/cli-json.md)',
  'help.option.to':
    'a card: its path, serial:NUMBER, or practice[:FILE] for a file that plays one; again for more',
  'help.option.on': 'the card: its path, serial:NUMBER, or practice[:FILE]',
  'help.option.yes': 'do not ask: everything on allowed drives may be lost',
  'help.option.allow-warned': 'also take drives that call for a second look',
  'help.option.allow-virtual': 'also take loop, zram and nbd devices',
  'help.option.sha256': 'what the unpacked image must be; else the card stays unbootable',
  'help.option.bmap': 'write only what this block map lists',
  'help.option.used-blocks': "write only what the image's own file systems use",
  'help.option.no-verify': 'do not read back (exit code 4)',
  'help.option.no-eject': 'leave the card in its reader ready for use',
  'help.option.force-raw': 'write it though it does not look like an image (it is still unpacked)',
  'help.option.version': 'show the version',
  'help.option.help': 'show this help',
  'help.examples.program': `
Examples:
  boxwright drives                                which cards are there?
  boxwright flash os.img.xz --to practice         try it without a card
  boxwright flash os.img.xz --to /dev/sdb         flash one card, and verify it
  boxwright inspect --on /dev/sdb                 is this card finished?

Exit codes:
  0 verified   1 a card failed   2 refused, nothing touched   3 cancelled
  4 written but not verified   64 wrong usage   70 fault of the program`,
  'help.examples.drives': `
Examples:
  boxwright drives                 what may be flashed, and what is on it now
  boxwright drives --all           every drive, and why it is refused
  boxwright drives --json | jq     for programs`,
  'help.examples.flash': `
Examples:
  boxwright flash os.img.xz --to /dev/sdb
      Shows what will be lost, asks, writes, reads back, ejects.
  boxwright flash os.img.xz --to /dev/sdb --to /dev/sdc --yes
      Two cards at once, without a question. Drives that call for a second look
      are still refused; --allow-warned takes them too.
  boxwright flash os.img.gz --to serial:058F63666485 --sha256 5f1c...
      By the serial number of the reader, and only this very image.
  boxwright flash os.img.zst --to practice
      Onto a practice card: a file in your data folder. Needs no rights.
  boxwright flash os.img --bmap os.img.bmap --to /dev/sdb
      Writes only what the block map lists, which is faster.`,
  'help.examples.verify': `
Examples:
  boxwright verify os.img.xz --on /dev/sdb
  boxwright verify os.img.xz --on practice`,
  'help.examples.inspect': `
Examples:
  boxwright inspect --on /dev/sdb
  boxwright inspect --on practice --json`,
} as const satisfies Readonly<Record<string, string>>;
