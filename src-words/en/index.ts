import { failures } from './failures.ts';
import { reasons } from './reasons.ts';
import { sentences } from './sentences.ts';

export const en = { failures, reasons, sentences };
