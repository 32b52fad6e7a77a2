import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const shellStrings = {
  name: 'node:child_process',
  importNames: ['exec', 'execSync', 'default'],
  message: 'A shell reads its argument: use spawn or execFile with a list of arguments.',
};

const processes = {
  name: 'node:child_process',
  message: 'Processes are started by the wrappers that eslint.config.mjs names.',
};

const shellOption = {
  selector: 'Property[key.name="shell"][value.value=true]',
  message: 'No shell: give the program and its arguments as a list.',
};

const processExit = {
  selector: 'CallExpression[callee.object.name="process"][callee.property.name="exit"]',
  message: 'Only a main file ends the process: set process.exitCode, or throw.',
};

const privileges = {
  selector:
    'CallExpression[callee.object.name="process"][callee.property.name=/^(set(e?[ug]id|groups)|initgroups)$/]',
  message: 'Rights are dropped in one place: src-writer/supervisor/engine-launcher.ts.',
};

/** The only files of the program that start other programs. */
const processWrappers = [
  'src-drives/ToolRunner.ts',
  'src-services/ChildProgram.ts',
  'src-writer/supervisor/EngineProcess.ts',
  'src-writer/supervisor/SystemTool.ts',
  'src-writer/supervisor/windows/DiskAgent.ts',
];

export default defineConfig(
  globalIgnores(['dist/', '.cache/', 'coverage/', 'src-writer/engine/generated/']),
  {
    files: ['**/*.{ts,mjs}'],
    extends: [eslint.configs.recommended, tseslint.configs.strictTypeChecked],
    linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true },
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      // The compiler knows better, in .mjs files too.
      'no-undef': 'off',
      'no-restricted-imports': ['error', { paths: [shellStrings] }],
      'no-restricted-syntax': ['error', shellOption],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    // A cast in a comment is seen by the compiler, which checks these files too, and not here.
    files: ['**/*.mjs'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off' },
  },
  {
    files: ['src-*/**'],
    rules: { 'no-restricted-syntax': ['error', shellOption, processExit, privileges] },
  },
  {
    files: ['src-*/**/main.ts'],
    rules: { 'no-restricted-syntax': ['error', shellOption, privileges] },
  },
  {
    files: ['src-writer/supervisor/engine-launcher.ts'],
    rules: { 'no-restricted-syntax': ['error', shellOption] },
  },
  {
    files: ['src-*/**'],
    ignores: processWrappers,
    rules: { 'no-restricted-imports': ['error', { paths: [processes] }] },
  },
);
