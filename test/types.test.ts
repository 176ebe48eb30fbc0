// Typed topics: a wrong payload, topic or handler does not compile.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FILE = join(ROOT, 'dist', 'type-rules.ts');

const PRELUDE = `
import { defineHandler, MessageBus } from './src/index.js';
interface Frame { readonly width: number }
interface Topics { 'camera.front.frame': Frame; 'camera.back.frame': Frame; 'log.line': string }
declare const bus: MessageBus<Topics>;
declare const anyBus: MessageBus;
declare const manyBus: MessageBus<{ [camera: \`camera.\${string}.frame\`]: Frame; 'log.line': string }>;
declare const somePattern: string;
declare const onUnknown: (payload: unknown) => void;
const onFrame = defineHandler<Frame>('file:///x', (frame) => frame.width);
const onText = defineHandler<string>('file:///x', (text) => text.length);
`;

const RIGHT = [
  `bus.publish('camera.front.frame', { width: 1 });`,
  `bus.publish('log.line', 'text', { priority: 'high' });`,
  `void bus.subscribe('camera.front.frame', onFrame, { subscriberId: 's' });`,
  `void bus.subscribe('camera.*.frame', onFrame, { subscriberId: 's' });`,
  `void bus.subscribe('camera.>', (frame) => frame.width, { subscriberId: 's' });`,
  `void bus.subscribe('>', (payload: Frame | string) => payload, { subscriberId: 's' });`,
  `void bus.subscribe('*.line', (line) => line.length, { subscriberId: 's' });`,
  `void bus.subscribe(somePattern, onUnknown, { subscriberId: 's' });`,
  `void manyBus.subscribe('camera.*.frame', onFrame, { subscriberId: 's' });`,
  `void manyBus.subscribe('camera.>', (frame) => frame.width, { subscriberId: 's' });`,
  `manyBus.publish('camera.7.frame', { width: 1 });`,
  `void bus.request<number>('log.line', 'text').then((n) => n + 1);`,
  `anyBus.publish('anything', 5);`,
  `void anyBus.subscribe('anything.*', onFrame, { subscriberId: 's' });`,
];

const WRONG = [
  `bus.publish('camera.front.frame', { width: 'wide' });`,
  `bus.publish('camera.side.frame', { width: 1 });`,
  `bus.publish('log.line', 5);`,
  `void bus.subscribe('camera.front.frame', onText, { subscriberId: 's' });`,
  `void bus.subscribe('camera.*.frame', onText, { subscriberId: 's' });`,
  `void bus.subscribe('>', onText, { subscriberId: 's' });`,
  `void bus.subscribe('log.line', (n: number) => n, { subscriberId: 's' });`,
  `void bus.subscribe('*.line', (n: number) => n, { subscriberId: 's' });`,
  `void bus.subscribe('camera.>', (text: string) => text, { subscriberId: 's' });`,
  `void bus.subscribe('kamera.*.frame', (frame) => frame, { subscriberId: 's' });`,
  `void bus.subscribe('camera.*', onFrame, { subscriberId: 's' });`,
  `void bus.subscribe('log.>.line', onText, { subscriberId: 's' });`,
  `void bus.subscribe('log.line.>', onText, { subscriberId: 's' });`,
  `void bus.subscribe(somePattern, onText, { subscriberId: 's' });`,
  `void manyBus.subscribe('camera.*.sound', onFrame, { subscriberId: 's' });`,
  `void bus.request('log.line', 5);`,
  `void bus.subscribe('log.line', onText, {});`,
];

/** The lines that the compiler complains about, counted from 1. */
function linesWithErrors(source: string): number[] {
  writeFileSync(FILE, source);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const options =
    '--noEmit --strict --target es2022 --module nodenext --skipLibCheck --types node --ignoreConfig'.split(' ');
  try {
    execFileSync(process.execPath, [tsc, ...options, FILE], { cwd: ROOT, encoding: 'utf8' });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    const lines = [...stdout.matchAll(/type-rules\.ts[(:](\d+)/g)].map(([, line]) => Number(line));
    if (lines.length === 0) throw new Error(`the compiler said: ${stdout}`);
    return [...new Set(lines)];
  }
}

describe('typed topics', () => {
  afterAll(() => rmSync(FILE, { force: true }));

  it('let what is right compile, and nothing that is wrong', () => {
    const lines = [...PRELUDE.split('\n'), ...RIGHT, ...WRONG];
    const firstWrong = lines.length - WRONG.length + 1;
    expect(linesWithErrors(lines.join('\n'))).toEqual(WRONG.map((_, index) => firstWrong + index));
  });
});
