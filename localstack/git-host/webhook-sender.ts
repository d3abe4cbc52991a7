import { createHmac, randomUUID } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** Where a repository's webhooks go, and the key that they are signed with. */
export interface WebhookTarget {
  url: string;
  secret: string;
}

/** Sends webhooks over connections that stay open. */
export interface WebhookSender {
  /** Posts `body` as a GitHub event; resolves when that is over, well or not. Says in the log how it went. */
  send(target: WebhookTarget, event: string, body: object): Promise<void>;
  stop(): void;
}

const TIMEOUT_MS = 10_000;

/** A sender like GitHub's: one try, ten seconds, no redirects. */
export function createWebhookSender(log: (line: string) => void): WebhookSender {
  const plain = new HttpAgent({ keepAlive: true });
  const secure = new HttpsAgent({ keepAlive: true });

  return {
    async send(target, event, body) {
      const delivery = randomUUID();
      const text = Buffer.from(JSON.stringify(body));
      const started = performance.now();
      try {
        const status = await post(target, { event, delivery, text, fresh: false });
        const took = (performance.now() - started).toFixed(0);
        const verdict = status >= 200 && status < 300 ? 'delivered' : 'refused';
        log(`webhook ${delivery} to ${target.url} ${verdict}: ${status} in ${took} ms`);
      } catch (error) {
        log(`webhook ${delivery} to ${target.url} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    stop() {
      plain.destroy();
      secure.destroy();
    },
  };

  function post(
    target: WebhookTarget,
    delivery: { event: string; delivery: string; text: Buffer; fresh: boolean },
  ): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const isSecure = target.url.startsWith('https:');
    const call = (isSecure ? httpsRequest : httpRequest)(target.url, {
      method: 'POST',
      agent: delivery.fresh ? false : isSecure ? secure : plain,
      timeout: TIMEOUT_MS,
      headers: {
        'content-type': 'application/json',
        'content-length': delivery.text.length,
        'user-agent': 'GitHub-Hookshot/hawser-demo',
        'x-github-event': delivery.event,
        'x-github-delivery': delivery.delivery,
        'x-hub-signature-256': `sha256=${createHmac('sha256', target.secret).update(delivery.text).digest('hex')}`,
      },
    });
    call.on('response', (response) => {
      // Read to the end: only then does the connection serve the next one.
      response.resume();
      response.on('close', () => resolve(response.statusCode ?? 0));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    call.on('error', (error: NodeJS.ErrnoException) => {
      // The receiver had just closed the idle connection and has seen nothing: no second delivery, still the first.
      const isStale = call.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      if (isStale) resolve(post(target, { ...delivery, fresh: true }));
      else reject(error);
    });
    call.end(delivery.text);
    return promise;
  }
}
