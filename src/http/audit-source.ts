// From where something was done, as the audit trail tells it.
import type { FastifyRequest } from 'fastify';
import type { AuditSource } from '../db/audit.ts';
import { browserName } from './visitor.ts';

/** The client's address and the coarse name of its browser. */
export function sourceOf(request: FastifyRequest): Required<AuditSource> {
  return { client: request.origin.client, browser: browserName(request.headers['user-agent']) };
}
