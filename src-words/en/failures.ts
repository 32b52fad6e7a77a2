import type { WordTable } from '../WordTable.ts';

/** By code; `{{name}}` is a fact of that code, shown as the format after the comma says. */
export const failures: WordTable['failures'] = {
  // The image
  'image-not-found': {
    cause: 'There is no file {{path}}.',
    nextStep: 'Check the name and the folder, then start again.',
  },
  'image-unreadable': {
    cause: 'The image {{path}} cannot be read: {{cause, system}}.',
    nextStep:
      'Check that your account may read it. If it lies on a network share or a stick, copy it to this computer first.',
  },
  'image-not-a-file': {
    cause: '{{path}} is not a file.',
    nextStep: 'Name the image file itself, not the folder that it is in.',
  },
  'image-empty': {
    cause: 'The image {{path}} is empty.',
    nextStep: 'Download or copy it again; the last attempt was probably cut off.',
  },
  'image-not-recognised': {
    cause: '{{path}} does not look like an image of a card.',
    nextStep:
      'Use an .img file, plain or compressed with gzip, xz, zstd, bzip2 or zip. If you are sure that it must be written as it is, add --force-raw.',
  },
  'image-no-partition-table': {
    cause: '{{path}} has no partition table, so no box could boot from it.',
    nextStep:
      'Many .iso files are made for optical discs only: look for an image made for cards or sticks. To write it all the same, add --force-raw.',
  },
  'image-truncated': {
    cause: 'The image {{path}} ends too early ({{format}}).',
    nextStep:
      'Its download or copy was cut off. Fetch it again and compare its size with the source.',
  },
  'image-corrupt': {
    cause: 'The image {{path}} is damaged ({{format}}: {{detail}}).',
    nextStep: 'Fetch it again from its source, and compare its checksum if one is published.',
  },
  'image-trailing-garbage': {
    cause:
      'After the {{format}} data of {{path}}, at byte {{offset, integer}}, follows something else.',
    nextStep: 'The file was damaged or joined with another one. Fetch it again from its source.',
  },
  'image-unsupported': {
    cause: '{{path}} uses a kind of {{format}} that is not supported: {{detail}}.',
    nextStep: 'Unpack it with the program that made it, and flash the .img file inside.',
  },
  'image-zip-empty': {
    cause: 'There is no image in {{path}}.',
    nextStep: 'Open the zip file to see what is in it, and download the one with the .img file.',
  },
  'image-zip-several': {
    cause: 'There is more than one image in {{path}}: {{names}}.',
    nextStep: 'Unpack the zip file, and flash the one image that you need.',
  },
  'image-too-large': {
    cause:
      'The image needs {{imageBytes, bytes}} ({{imageBytes, integer}} bytes), but the card holds only {{driveBytes, bytes}} ({{driveBytes, integer}} bytes).',
    nextStep: 'Use a larger card. Cards with the same size printed on them differ a little.',
  },
  'image-changed': {
    cause: 'The image {{path}} was changed while it was being read.',
    nextStep: 'Wait until its download or copy has ended, then flash again.',
  },
  'image-hash-mismatch': {
    cause:
      'The image is not the one you expected: its SHA-256 is {{actual}} instead of {{expected}}.',
    nextStep:
      'Fetch the image again, and check that the SHA-256 you gave belongs to the unpacked image and not to the compressed file.',
  },
  // Block maps
  'block-map-unreadable': {
    cause: 'The block map {{path}} cannot be read: {{detail, system}}.',
    nextStep: 'Check its name and folder, or flash without --bmap.',
  },
  'block-map-corrupt': {
    cause: '{{path}} is not a sound block map: {{detail}}.',
    nextStep: 'Download it again, or flash without --bmap.',
  },
  'block-map-mismatch': {
    cause:
      'The block map {{path}} is for an image of {{mapBytes, bytes}}, but this image has {{imageBytes, bytes}}.',
    nextStep: 'Use the block map that was made for this very image, or flash without --bmap.',
  },
  'block-map-range-differs': {
    cause:
      'Blocks {{firstBlock, integer}} to {{lastBlock, integer}} of the image are not what the block map {{path}} says.',
    nextStep: 'Image or map are damaged, or do not belong together. Download both again.',
  },
  'used-blocks-unavailable': {
    cause: 'The used blocks of this image cannot be told for certain: {{detail}}.',
    nextStep: 'Flash without --used-blocks; then all of the image is written.',
  },
  // Choosing a drive
  'drive-not-found': {
    cause: 'There is no drive {{drive}}.',
    nextStep: 'Is the card in its reader? "boxwright drives --all" lists every drive by its name.',
  },
  'drive-ambiguous': {
    cause: '{{drive}} fits more than one drive: {{matches}}.',
    nextStep: 'Name the drive by its path instead.',
  },
  'drive-chosen-twice': {
    cause: '{{drive}} was chosen twice.',
    nextStep: 'Name every drive once.',
  },
  'drive-refused': {
    cause: '{{drive}} is refused: {{reasons, reasons}}.',
    nextStep: 'Choose another drive; "boxwright drives" shows which ones may be flashed.',
  },
  'drive-warned': {
    cause: '{{drive}} does not look like a card for a box: {{reasons, reasons}}.',
    nextStep:
      'Look closely whether it is the right one. If it is, and all on it may be lost, add --allow-warned.',
  },
  'drive-not-confirmed': {
    cause: 'Nobody has agreed that everything on {{drive}} will be lost.',
    nextStep: 'Run the command in a terminal and answer its question, or add --yes.',
  },
  'drive-changed': {
    cause: '{{drive}} is not the drive any more that you chose: its {{what}} is another.',
    nextStep: 'Cards were swapped in between. Look at "boxwright drives", and choose again.',
  },
  'drive-not-whole': {
    cause: '{{drive}} is not a whole drive.',
    nextStep: 'Name the drive itself, not one of its partitions: /dev/sdb instead of /dev/sdb1.',
  },
  'drive-is-a-file': {
    cause: '{{path}} is a file, not a drive.',
    nextStep: 'To practise on a file instead of a card, write practice:{{path, argument}}',
  },
  'drive-list-unavailable': {
    cause: 'The drives of this computer cannot be listed: {{detail, system}}.',
    nextStep: 'Start again. If it stays so, restart the computer, and report it with this message.',
  },
  'practice-card-missing': {
    cause: 'There is no practice card {{path}} yet.',
    nextStep: 'Make it by flashing it: boxwright flash IMAGE --to practice',
  },
  'practice-card-not-a-file': {
    cause: '{{path}} cannot be a practice card: it is not a plain file.',
    nextStep: 'Choose a name that is not taken yet. Links, folders and devices are not used.',
  },
  'practice-card-unwritable': {
    cause: 'The practice card {{path}} cannot be written: {{cause, system}}.',
    nextStep: 'Choose a folder in which you may write, with practice:FILE.',
  },
  // Permission
  'permission-no-agent': {
    cause: 'Nothing on this computer can show the window that asks for a password.',
    nextStep:
      'Run the command in a terminal where sudo can ask, or start the polkit agent of your desktop.',
  },
  'permission-not-administrator': {
    cause: 'Your account has no administrator rights, which writing to a drive needs.',
    nextStep: 'Ask your administrator to flash, or to let you: SECURITY.md shows the rule for it.',
  },
  'permission-refused': {
    cause: 'The permission to write to drives was refused.',
    nextStep: 'Start again and give the password of an administrator.',
  },
  'permission-dismissed': {
    cause: 'The question for the password was closed without an answer.',
    nextStep: 'Start again and answer it; without it no drive can be written.',
  },
  'permission-tool-missing': {
    cause: 'None of the programs that can give permission is installed: {{tools}}.',
    nextStep: 'Install one of them, or run the command as root.',
  },
  'permission-volume-access-refused': {
    cause: 'macOS does not let this program use {{drive}}.',
    nextStep:
      'Open System Settings, Privacy & Security, Files and Folders, allow Removable Volumes, then start again.',
  },
  'blocked-by-protection': {
    cause: 'A protection program blocks the writing to {{drive}}.',
    nextStep:
      "Allow Boxwright in Windows' ransomware protection (Controlled folder access) or in your antivirus, then flash again.",
  },
  // Using a drive
  'unmount-failed': {
    cause: '{{mountPoint}} on {{drive}} could not be unmounted: {{cause, system}}.',
    nextStep: 'Close the windows and programs that show files of the card, then flash again.',
  },
  'drive-busy': {
    cause: '{{drive}} is in use by another program.',
    nextStep:
      'Close what uses it (another flasher, a partition editor, a backup), then flash again.',
  },
  'drive-open-failed': {
    cause: '{{drive}} cannot be opened: {{cause, system}}.',
    nextStep: 'Pull the card and put it in again, then flash again. Else try another reader.',
  },
  'write-protected': {
    cause: '{{drive}} is write-protected.',
    nextStep:
      'Slide the small switch on the side of the card or its adapter away from LOCK. If it already is, the card is worn out: use another one.',
  },
  'reader-lost': {
    cause: 'The reader of {{drive}} is gone.',
    nextStep:
      'Plug it in again, straight into the computer and not through a hub, then flash again.',
  },
  'card-lost': {
    cause: 'The card {{drive}} was pulled, or lost contact.',
    nextStep:
      'Put it in again and flash again. If it happens twice, clean its contacts or try another reader.',
  },
  'card-stalled': {
    cause: '{{drive}} has not answered for {{seconds, seconds}}.',
    nextStep:
      'Try another reader or port. If it stalls there too, the card is worn out: use another.',
  },
  'computer-slept': {
    cause: 'The computer slept for {{seconds, seconds}} while {{drive}} was being written.',
    nextStep: 'Flash again, with sleep switched off and the lid open.',
  },
  'write-failed': {
    cause: 'Writing to {{drive}} failed at byte {{offset, integer}}: {{cause, system}}.',
    nextStep: 'Try another reader or port. If it fails there too, the card is broken: use another.',
  },
  'read-failed': {
    cause: 'Reading {{drive}} failed at byte {{offset, integer}}: {{cause, system}}.',
    nextStep: 'Try another reader or port. If it fails there too, the card is broken: use another.',
  },
  'read-back-differs': {
    cause:
      'What {{drive}} gives back differs from the image: {{differingBytes, bytes}} of {{checkedBytes, bytes}} checked, first at byte {{offset, integer}}.',
    nextStep:
      'Flash it again with another reader, adapter or port. If it differs there too, use another card.',
  },
  'card-counterfeit': {
    cause:
      '{{drive}} is counterfeit: it has less memory than it claims. At byte {{offset, integer}} it gives back what was written at byte {{holdsOffset, integer}}.',
    nextStep: 'Do not use this card. Return it to the seller, and flash another.',
  },
  'disk-full': {
    cause: 'There is no space left for {{path}}.',
    nextStep: 'Free some space there, or choose a folder on another disk, then start again.',
  },
  'eject-failed': {
    cause: '{{drive}} could not be ejected: {{cause, system}}.',
    nextStep:
      'The card is written. Eject it with your desktop, or wait for its light, then pull it.',
  },
  // The program itself
  cancelled: {
    cause: 'It was cancelled.',
    nextStep: 'Flash the card again before you use it, if it was being written.',
  },
  'writer-ended': {
    cause: 'The part of the program that writes has ended unexpectedly: {{detail}}.',
    nextStep: 'Flash the card again. If it happens twice, report it with this message.',
  },
  'writer-unreachable': {
    cause: 'The part of the program that writes could not be started: {{detail, system}}.',
    nextStep: 'Start again. If it stays so, build or install Boxwright anew.',
  },
  'writer-busy': {
    cause: 'Another job is still running.',
    nextStep: 'Wait for its end, then start again.',
  },
  'protocol-mismatch': {
    cause:
      'The parts of the program do not belong together: version {{expected}} was expected, {{actual}} found.',
    nextStep: 'Build or install Boxwright anew, then start again.',
  },
  'request-invalid': {
    cause: 'The parts of the program do not understand each other: {{detail}}.',
    nextStep: 'Start again. If it stays so, report it with this message.',
  },
  'system-tool-missing': {
    cause: 'The program {{tool}} is missing from this computer.',
    nextStep: 'Install it (package {{package}}), then start again.',
  },
  'usage-invalid': {
    cause: 'The command cannot be understood: {{detail}}.',
    nextStep: '"boxwright --help" shows what can be said, with examples.',
  },
  internal: {
    cause: 'Boxwright made a mistake: {{detail}}.',
    nextStep:
      'Flash cards that were being written again, and report this message with what you were doing.',
  },
};
