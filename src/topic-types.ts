// What TypeScript knows about topics: which payload belongs to which, and which handlers fit.
import type { Handler, HandlerDefinition } from './shared/handler.js';

/** A bus whose topics are not declared takes any payload and any handler. */
// biome-ignore lint/suspicious/noExplicitAny: only `any` lets handlers of every payload type in
export type AnyTopics = Record<string, any>;

/** True when a topic matches a pattern. */
type Matches<Topic extends string, Pattern extends string> = Pattern extends '>'
  ? true
  : Pattern extends `${infer PatternToken}.${infer PatternRest}`
    ? Topic extends `${infer Token}.${infer Rest}`
      ? PatternToken extends '*' | Token
        ? Matches<Rest, PatternRest>
        : false
      : false
    : Topic extends `${string}.${string}`
      ? false
      : Pattern extends '*' | Topic
        ? true
        : false;

/** The declared topics that match a pattern. */
type MatchingTopic<Topics, Pattern extends string> = {
  [Topic in keyof Topics & string]: Matches<Topic, Pattern> extends true ? Topic : never;
}[keyof Topics & string];

/** The payloads that a pattern may bring: those of all declared topics that match. */
export type PayloadOf<Topics, Pattern extends string> = Pattern extends keyof Topics
  ? Topics[Pattern]
  : string extends Pattern
    ? unknown
    : Topics[MatchingTopic<Topics, Pattern>];

/** What a pattern must be besides a text: one that a declared topic matches. The compiler shows what is missing. */
export type KnownPattern<Topics, Pattern extends string> = Pattern extends keyof Topics
  ? unknown
  : string extends Pattern
    ? unknown
    : [MatchingTopic<Topics, Pattern>] extends [never]
      ? { readonly 'no declared topic matches': Pattern }
      : unknown;

/** The platform's URL where its types are known, else the part of it that matters here. */
export type Url = typeof globalThis extends { URL: { prototype: infer T } } ? T : { readonly href: string };

/** A handler: what `defineHandler` made, the `file:` URL of a module, or a plain function that runs on the main thread. */
export type HandlerLike<P> = HandlerDefinition<P, unknown> | Handler<P, unknown> | Url | string;
