// A handler whose every attempt fails, as real ones do: with an error made on the spot, stack and all.
import { defineHandler } from '../../src/shared/handler.js';

export default defineHandler<Uint8Array>(import.meta.url, (payload) => {
  throw new Error(`nothing to be done about ${payload.byteLength} bytes`);
});
