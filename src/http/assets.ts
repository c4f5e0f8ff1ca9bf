// The style sheet and the icon, from our own origin. Their names change with their content or do not matter.
import type { FastifyInstance } from 'fastify';
import { ICON_NAME, ICON_SVG } from '../ui/layout.ts';
import { STYLESHEET, STYLESHEET_NAME } from '../ui/stylesheet.ts';

export function registerAssets(app: FastifyInstance): void {
  app.get(`/assets/${STYLESHEET_NAME}`, async (_request, reply) =>
    reply
      .header('cache-control', 'public, max-age=31536000, immutable')
      .type('text/css; charset=utf-8')
      .send(STYLESHEET),
  );
  app.get(`/assets/${ICON_NAME}`, async (_request, reply) =>
    reply
      .header('cache-control', 'public, max-age=86400')
      .header('content-security-policy', "default-src 'none'")
      .type('image/svg+xml')
      .send(ICON_SVG),
  );
}
