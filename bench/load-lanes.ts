// The load generator's connections: kept open between its jobs, by port, so that a slice begins with connections that the
// server knows. One that was closed meanwhile is opened anew.
import { Connection } from './http-connection.ts';

/** One connection at a time, used by one driver. */
export type Lane = {
  connection: Connection;
  /** no request of this job was answered on it yet: the server may have closed it since the last one */
  isUntried: boolean;
};

const kept = new Map<number, Lane[]>();

/** The first `count` connections to a port; opens what is missing. */
export async function openLanes(port: number, count: number): Promise<Lane[]> {
  const lanes = (kept.get(port) ?? []).filter(({ connection }) => connection.isOpen);
  while (lanes.length < count) lanes.push({ connection: await Connection.open(port), isUntried: true });
  for (const lane of lanes) lane.isUntried = true;
  kept.set(port, lanes);
  return lanes.slice(0, count);
}

/** A connection in place of one that failed. */
export async function reopen(lane: Lane, port: number): Promise<void> {
  lane.connection.close();
  lane.connection = await Connection.open(port);
  lane.isUntried = false;
}
