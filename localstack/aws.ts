import { awsDefaults } from './options.ts';
import { runStart } from './run-start.ts';

/** `npm run start:aws`: the functions as they are deployed, on emulators of AWS, with the same cluster and demo around them. */
await runStart(awsDefaults, async () => (await import('./aws/service.ts')).startAwsService);
