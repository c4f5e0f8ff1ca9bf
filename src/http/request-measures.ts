// How many requests were answered, how, and how fast. Told apart by route, method and status, which are all from closed
// sets: no name, path or token of anybody is ever among them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Buckets, durations } from '../storage/measures.ts';
import type { Handle } from './listener.ts';

export const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'OPTIONS', 'other'] as const;
export type Method = (typeof METHODS)[number];

const DOCUMENT_ROUTE = '/storage/:user/*';
const FOLDER_ROUTE = '/storage/:user/*/';
/** For what has no route, and for all that a process of the other role answers. */
export const OTHER_ROUTE = 'other';
/** A status is less. */
const STATUSES = 1000;
const SLASH = 47;

/** `status` 0: the connection ended before there was an answer. */
export type Answered = { route: string; method: Method; status: number; count: number };

export interface RequestMeasures {
  /** of a request to the storage whose answer was sent, or given up; `begun`: monotonic milliseconds */
  noteStorage(request: IncomingMessage, response: ServerResponse, begun: number): void;
  /** @param route a pattern, not an address */
  note(route: string, method: string, status: number, milliseconds: number): void;
  /** uploads that are under way */
  uploads: () => number;
  answered(): Answered[];
  durations(): { route: string; method: Method; took: Buckets }[];
}

export function openRequestMeasures(): RequestMeasures {
  const storageRoutes = [DOCUMENT_ROUTE, FOLDER_ROUTE].map((route) => openRoute(route));
  const otherRoutes = new Map<string, Route>();
  return {
    noteStorage(request, response, begun) {
      const route = storageRoutes[isFolder(request.url ?? '') ? 1 : 0]!;
      const status = response.headersSent ? response.statusCode : 0;
      route.note(request.method, status, performance.now() - begun);
    },
    note(name, method, status, milliseconds) {
      let route = otherRoutes.get(name);
      if (!route) {
        route = openRoute(name);
        otherRoutes.set(name, route);
      }
      route.note(method, status, milliseconds);
    },
    uploads: () => 0,
    answered: () => [...storageRoutes, ...otherRoutes.values()].flatMap((route) => route.answered()),
    durations: () => [...storageRoutes, ...otherRoutes.values()].flatMap((route) => route.durations()),
  };
}

type Route = {
  note(method: string | undefined, status: number, milliseconds: number): void;
  answered(): Answered[];
  durations(): { route: string; method: Method; took: Buckets }[];
};

function openRoute(route: string): Route {
  /** by place of the method and status */
  const counts = new Map<number, number>();
  const took = METHODS.map(() => durations());
  return {
    note(method, status, milliseconds) {
      const place = placeOf(method);
      const key = place * STATUSES + status;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      took[place]!.add(milliseconds);
    },
    answered: () =>
      [...counts].map(([key, count]) => {
        const method = METHODS[Math.floor(key / STATUSES)]!;
        return { route, method, status: key % STATUSES, count };
      }),
    durations: () =>
      METHODS.map((method, place) => ({ route, method, took: took[place]! })).filter(({ took: { counts } }) =>
        counts.some((count) => count > 0),
      ),
  };
}

function placeOf(method: string | undefined): number {
  const place = METHODS.indexOf(method as Method);
  return place < 0 ? METHODS.length - 1 : place;
}

function isFolder(target: string): boolean {
  const query = target.indexOf('?');
  return target.charCodeAt((query < 0 ? target.length : query) - 1) === SLASH;
}

/** The same handler, its requests counted as of one route: for those that are few. */
export function counted(measures: RequestMeasures, route: string, handle: Handle): Handle {
  return (request, response) => {
    const begun = performance.now();
    response.once('close', () => {
      const status = response.headersSent ? response.statusCode : 0;
      measures.note(route, request.method ?? '', status, performance.now() - begun);
    });
    handle(request, response);
  };
}
