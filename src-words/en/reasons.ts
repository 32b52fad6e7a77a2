import type { WordTable } from '../WordTable.ts';

/** Why a drive is judged as it is; `{{about}}` is what the judgement is about, where that says more. */
export const reasons: WordTable['reasons'] = {
  // Refusals
  'carries-root': 'the running system is on it ({{about}})',
  'carries-boot': 'this computer starts from it ({{about}})',
  'carries-system': 'it is part of the running system ({{about}})',
  'carries-swap': 'the running system swaps to it ({{about}})',
  'carries-program': 'this program itself is on it ({{about}})',
  'holds-image': 'the image is on it ({{about}})',
  'holds-cache': "this program's stored images are on it ({{about}})",
  'read-only': 'it is write-protected',
  'too-small': 'it is too small for the image ({{about, bytes}})',
  'no-medium': 'there is no card in it',
  'internal-bus': 'it is built into this computer ({{about}})',
  'unknown-bus': 'how it is attached is not known',
  virtual: 'it is a virtual drive (--allow-virtual permits it)',
  // Warnings
  large: 'it is unusually large for a card ({{about, bytes}})',
  'not-removable': 'it is a disk rather than a card ({{about}})',
  'foreign-file-system': 'it holds what belongs to a computer, not to a box ({{about}})',
  'content-unread': 'what is on it could not be read in time, so anything may be',
  'mounted-elsewhere': 'it is mounted where no desktop mounts a card ({{about}})',
  'files-in-use': 'files on it are open ({{about}})',
  // Notes
  mounted: 'mounted, will be unmounted ({{about}})',
  'holds-data': 'holds data ({{about}})',
  unfinished: 'unfinished: its last flash did not end, it cannot boot',
};

/** What to do where a drive is refused for this reason alone; where none is told, choose another. */
export const reasonSteps: WordTable['reasonSteps'] = {
  'read-only':
    'Slide the small switch on the side of the card or its adapter away from LOCK, then start again. If it already is, the card is worn out: use another one.',
  'no-medium': 'Put a card into the reader, then start again.',
  'too-small': 'Use a larger card. Cards with the same size printed on them differ a little.',
  'holds-image': 'Copy the image to another disk of this computer first, or choose another card.',
  virtual: 'If it is the one you mean, and all on it may be lost, add --allow-virtual.',
};
