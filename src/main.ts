// The entry: hands the command line to cli/. Files that are made are for their owner alone.
import { run } from './cli/program.ts';
import { keepHeapSmall } from './small-heap.ts';

process.umask(0o077);
keepHeapSmall();
process.exitCode = await run(process.argv.slice(2));
