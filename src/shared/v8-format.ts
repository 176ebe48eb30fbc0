// The general format: what V8 serialises, with views as raw bytes, so that a view of a pool does not carry the pool along.
import type { Deserializer, Serializer } from 'node:v8';
import type { CodecId } from './message.js';
import { asBuffer, bytesOfView, codecOfView, copyOf, viewOn } from './views.js';

/** Node's hook that its types do not show. */
interface ViewsAsHostObjects {
  _setTreatArrayBufferViewsAsHostObjects(flag: boolean): void;
}

type GeneralFormat = { readonly toWrite: () => Serializer; readonly toRead: (bytes: Uint8Array) => Deserializer };

let loaded: GeneralFormat | undefined;

/** Node's module takes 4 ms of a new thread's start: it is loaded when the first payload needs it. */
function generalFormat(): GeneralFormat {
  loaded ??= withViews(process.getBuiltinModule('node:v8'));
  return loaded;
}

function withViews({ Serializer, Deserializer }: typeof import('node:v8')): GeneralFormat {
  class GeneralSerializer extends Serializer {
    constructor() {
      super();
      (this as unknown as ViewsAsHostObjects)._setTreatArrayBufferViewsAsHostObjects(true);
    }

    /** Called by V8 for each view, and for objects of Node's that only Node could clone. */
    _writeHostObject(value: object): void {
      const codec = ArrayBuffer.isView(value) ? codecOfView(value) : undefined;
      if (codec === undefined) throw new TypeError(`${Object.prototype.toString.call(value)} could not be cloned.`);
      const bytes = bytesOfView(value as ArrayBufferView);
      this.writeUint32(codec);
      this.writeUint32(bytes.byteLength);
      this.writeRawBytes(bytes);
    }

    /** Called by V8 for what does not clone. */
    readonly _getDataCloneError = TypeError;
  }

  class GeneralDeserializer extends Deserializer {
    /** Called by V8 for what `_writeHostObject` wrote. */
    _readHostObject(): ArrayBufferView {
      const codec = this.readUint32() as CodecId;
      return viewOn(codec, copyOf(this.readRawBytes(this.readUint32())));
    }
  }

  return { toWrite: () => new GeneralSerializer(), toRead: (bytes) => new GeneralDeserializer(bytes) };
}

/**
 * Cycles and shared references are kept; two views on one buffer come back with a buffer each.
 *
 * @throws TypeError for what does not clone, RangeError for too many levels, or what a getter throws
 */
export function writeGeneral(value: unknown): Uint8Array {
  const serializer = generalFormat().toWrite();
  serializer.writeHeader();
  serializer.writeValue(value);
  return serializer.releaseBuffer();
}

/**
 * What it returns owns its memory.
 *
 * @throws Error when the bytes are damaged
 */
export function readGeneral(bytes: Uint8Array): unknown {
  // V8 reads its input without locks: memory that another thread can write is copied first.
  const own = bytes.buffer instanceof ArrayBuffer ? bytes : copyOf(bytes);
  const deserializer = generalFormat().toRead(asBuffer(own));
  deserializer.readHeader();
  return deserializer.readValue();
}
