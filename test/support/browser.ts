import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A page in Debian's Chromium, which takes questions. */
export interface Page {
  /** Milliseconds from the start of loading until everything is there and has been drawn. */
  readonly loadedMs: number;
  /** What the browser asked for besides the page itself. */
  readonly requests: readonly string[];
  /** What the console says: errors, warnings, refused content. */
  readonly messages: readonly string[];
  /** The value of an expression in the page. */
  readonly evaluate: <Value>(expression: string) => Promise<Value>;
  /** Shows the page in a window of this size; `scheme` is what the system asks for. */
  readonly show: (look: { width: number; height: number; scheme: 'light' | 'dark' }) => Promise<void>;
  readonly press: (key: string) => Promise<void>;
  readonly screenshot: () => Promise<Buffer>;
  /** What a screen reader is told, in order: roles and names. */
  readonly accessible: () => Promise<readonly Accessible[]>;
}

export interface Accessible {
  readonly role: string;
  readonly name: string;
}

const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Opens a file in a browser of its own, and closes that after the task. */
export async function withPage<Result>(file: string, task: (page: Page) => Promise<Result>): Promise<Result> {
  const profile = mkdtempSync(join(process.env['TMPDIR'] ?? '/var/tmp', 'activate-browser-'));
  const arguments_ = [...QUIET, `--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'];
  const browser = spawn('chromium', arguments_, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  try {
    const wire = await connect(await pageAddress(browser));
    return await task(await load(wire, `file://${file}`));
  } finally {
    browser.kill('SIGKILL');
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The address for questions about the one page that is open. */
async function pageAddress(browser: ChildProcess): Promise<string> {
  if (browser.stderr === null) throw new Error('chromium has no stderr');
  const said: string[] = [];
  for await (const line of createInterface(browser.stderr)) {
    said.push(line);
    const port = /^DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//u.exec(line)?.[1];
    if (port === undefined) continue;
    const pages = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as Record<string, string>[];
    const address = pages.find(({ type }) => type === 'page')?.['webSocketDebuggerUrl'];
    if (address !== undefined) return address;
  }
  throw new Error(`chromium did not start:\n${said.join('\n')}`);
}

type Fields = Readonly<Record<string, unknown>>;

interface Wire {
  readonly send: (method: string, parameters?: Fields) => Promise<Fields>;
  readonly on: (method: string, listener: (parameters: Fields) => void) => void;
}

/** @see https://chromedevtools.github.io/devtools-protocol/ */
async function connect(address: string): Promise<Wire> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  let count = 0;
  const pending = new Map<number, (answer: { result?: Fields; error?: Fields }) => void>();
  const listeners = new Map<string, (parameters: Fields) => void>();
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as { id?: number; method?: string; params?: Fields };
    if (message.id === undefined) listeners.get(message.method ?? '')?.(message.params ?? {});
    else pending.get(message.id)?.(message as { result?: Fields });
  });
  return {
    on: (method, listener) => void listeners.set(method, listener),
    send: (method, parameters = {}) =>
      new Promise((resolve, reject) => {
        count += 1;
        pending.set(count, ({ result, error }) =>
          error === undefined ? resolve(result ?? {}) : reject(new Error(`${method}: ${JSON.stringify(error)}`)),
        );
        socket.send(JSON.stringify({ id: count, method, params: parameters }));
      }),
  };
}

async function load(wire: Wire, url: string): Promise<Page> {
  const requests: string[] = [];
  const messages: string[] = [];
  wire.on('Network.requestWillBeSent', ({ request }) => {
    const asked = (request as { url: string }).url;
    if (asked !== url && !asked.startsWith('data:')) requests.push(asked);
  });
  wire.on('Runtime.consoleAPICalled', (said) => messages.push(JSON.stringify(said)));
  wire.on('Runtime.exceptionThrown', (said) => messages.push(JSON.stringify(said)));
  wire.on('Log.entryAdded', (said) => messages.push(JSON.stringify(said)));
  for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await wire.send(`${domain}.enable`);
  const loaded = new Promise<void>((resolve) => wire.on('Page.loadEventFired', () => resolve()));
  const start = performance.now();
  await wire.send('Page.navigate', { url });
  await loaded;
  const evaluate = async <Value>(expression: string): Promise<Value> => {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await wire.send('Runtime.evaluate', options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: Value }).value;
  };
  await evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))');
  const loadedMs = performance.now() - start;
  return {
    loadedMs,
    requests,
    messages,
    evaluate,
    show: async ({ width, height, scheme }) => {
      await wire.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      const features = [{ name: 'prefers-color-scheme', value: scheme }];
      await wire.send('Emulation.setEmulatedMedia', { features });
    },
    press: async (key) => {
      const code = key === ' ' ? 'Space' : key;
      const windowsVirtualKeyCode = KEY_CODES[key] ?? 0;
      const event = { key, code, windowsVirtualKeyCode, ...(key === ' ' ? { text: ' ' } : {}) };
      await wire.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
      await wire.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
    },
    screenshot: async () => {
      const { data } = await wire.send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(String(data), 'base64');
    },
    accessible: async () => {
      const { nodes } = await wire.send('Accessibility.getFullAXTree');
      return readInOrder(nodes as AccessibilityNode[]);
    },
  };
}

interface AccessibilityNode {
  readonly nodeId: string;
  readonly childIds?: readonly string[];
  readonly ignored: boolean;
  readonly role?: { readonly value: string };
  readonly name?: { readonly value: string };
}

function readInOrder(nodes: readonly AccessibilityNode[]): Accessible[] {
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const read = (node: AccessibilityNode | undefined): Accessible[] => {
    if (node === undefined) return [];
    const own = node.ignored ? [] : [{ role: node.role?.value ?? '', name: node.name?.value ?? '' }];
    return [...own, ...(node.childIds ?? []).flatMap((id) => read(byId.get(id)))];
  };
  return read(nodes[0]);
}

const KEY_CODES: Readonly<Record<string, number>> = { Tab: 9, Enter: 13, ' ': 32, ArrowRight: 39, ArrowDown: 40 };
