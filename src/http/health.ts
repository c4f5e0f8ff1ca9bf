// `/health`: 200 when requests can be served, 503 when not now. It tells nothing else, and answers under any name.
import type { FastifyInstance } from 'fastify';
import type { Users } from '../db/users.ts';

export function registerHealth(
  app: FastifyInstance,
  { users, isReady }: { users: Users; isReady: () => boolean },
): void {
  app.get('/health', { config: { anyHost: true, isMachine: true } }, async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('access-control-allow-origin', '*');
    if (!isReady()) return reply.code(503).send({ status: 'not ready' });
    await users.count(); // throws, and so answers 500, when the accounts cannot be read
    return reply.send({ status: 'ok' });
  });
}
