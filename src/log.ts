// The log: JSON lines on stderr, readable lines on a terminal. No secret, password, token or body is ever passed to it.
import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type Log = Logger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * Opens the log on `stream` (stderr unless a test passes another).
 * @param level the least severe level that is written
 */
export function openLog(level: LogLevel, stream?: DestinationStream): Log {
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (stream) return pino(options, stream);
  if (process.stderr.isTTY) {
    return pino(
      options,
      pretty({ colorize: true, destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss' }),
    );
  }
  return pino(options, pino.destination({ dest: 2, sync: true }));
}
