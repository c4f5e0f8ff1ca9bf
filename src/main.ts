// The entry: hands the command line to cli/. Files that are made are for their owner alone.
import { run } from './cli/program.ts';

process.umask(0o077);
process.exitCode = await run(process.argv.slice(2));
