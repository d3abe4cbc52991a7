import { embeddedDefaults } from './options.ts';
import { runStart } from './run-start.ts';

/** `npm start`: everything on this machine, in one process plus agents and sandbox. Ends with Ctrl-C. */
await runStart(embeddedDefaults);
