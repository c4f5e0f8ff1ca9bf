// Who asks: the request's origin (which name, from where) and the session of its cookie, found before any page is
// made. Pages read them from the request.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Session, Sessions } from '../db/sessions.ts';
import { GitsteadError } from '../errors.ts';
import { readCookie } from './cookies.ts';
import type { JudgeOrigin, RequestOrigin } from './request-origin.ts';

declare module 'fastify' {
  interface FastifyRequest {
    origin: RequestOrigin;
    /** undefined: not signed in */
    session: Session | undefined;
  }
  interface FastifyContextConfig {
    /** for programs rather than people: any name of ours may be asked, errors are JSON with CORS, cookies are not looked at */
    isMachine?: boolean;
    /** answers under any name, for probes that know only an address */
    anyHost?: boolean;
  }
}

export function registerVisitor(app: FastifyInstance, judge: JudgeOrigin, sessions: Sessions): void {
  app.decorateRequest('origin');
  app.decorateRequest('session');
  app.addHook('onRequest', async (request) => {
    const { anyHost, isMachine } = request.routeOptions.config;
    if (anyHost) return;
    request.origin = judge(request.raw);
    const { serves } = request.origin;
    if (serves === 'storage' || (serves === 'discovery' && !isMachine)) {
      throw new GitsteadError('wrong-host', 'There are no pages at this address.');
    }
  });
  app.addHook('preHandler', async (request) => {
    if (!request.routeOptions.config.isMachine && !request.routeOptions.config.anyHost) {
      request.session = await findSession(request, sessions);
    }
  });
}

async function findSession(request: FastifyRequest, sessions: Sessions): Promise<Session | undefined> {
  const secret = readCookie(request, 'session');
  return secret === undefined ? undefined : sessions.find(secret);
}

/** `Firefox on Linux`: enough for a person to recognise a session, too little to recognise a person. */
export function browserName(userAgent: string | undefined): string {
  const text = userAgent ?? '';
  const find = (names: readonly (readonly [RegExp, string])[]) =>
    names.find(([pattern]) => pattern.test(text))?.[1];
  const browser = find(BROWSERS);
  const system = find(SYSTEMS);
  if (browser === undefined) return system ?? 'Unknown browser';
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** In this order: most browsers also name the ones that they descend from. */
const BROWSERS = [
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bChrom(?:e|ium)\/|\bCriOS\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
] as const;

const SYSTEMS = [
  [/\biPhone\b|\biPad\b/, 'iOS'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
] as const;
