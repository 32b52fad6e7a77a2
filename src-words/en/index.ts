import { failures } from './failures.ts';
import { reasons, reasonSteps } from './reasons.ts';
import { sentences } from './sentences.ts';
import { systemErrors } from './systemErrors.ts';

export const en = { failures, reasons, reasonSteps, sentences, systemErrors };
