import { forbidden, options } from './scripts/check/import-rules.ts';

export default { forbidden, options };
