// Error reports in a record of the report ring: what main, which writes them, and the logging worker must agree on.
//
//   0             4       5           8                         text offset        end
//   ┌─────────────┬───────┬───────────┬─────────────────────────┬────────────────────┐
//   │ text offset │ count │ text kind │ the numbers of a report │ all text, in order │
//   │ (u32)       │ (u8)  │ (u8), 0 0 │ and of the next, …      │                    │
//   └─────────────┴───────┴───────────┴─────────────────────────┴────────────────────┘
//
// One call into native code writes the text of all reports: it costs more than all else, however short the text. The
// numbers of a report begin at a multiple of 8 bytes, and have no names, but for those in its context:
//
//   byte 0    timestamp, then retry_count: doubles
//   byte 16   length of its text (u32)
//   byte 20   Flag: which of them hold
//   byte 21   index of its category, then of its severity, in the order of their definition
//   byte 23   number of fields in its context, or CONTEXT_AS_VALUE
//   byte 24   lengths of error_id, component, message, exception_type, and of traceback if there is one
//             for each field: index of its name and length of its text; else OTHER_NAME, length of its name, kind and
//             length of its value
//
// Lengths are LEB128, in UTF-16 units.
import { CONTEXT_TEXTS, ErrorCategory, ErrorSeverity } from './report.js';

export const BATCH_HEADER_BYTES = 8;
export const REPORT_HEADER_BYTES = 24;

export const Flag = { RECOVERY_ATTEMPTED: 1, RECOVERY_SUCCESSFUL: 2, IS_REDACTED: 4, HAS_TRACEBACK: 8 } as const;

export const CATEGORIES = Object.values(ErrorCategory);
export const SEVERITIES = Object.values(ErrorSeverity);

/** Names of texts that busbar's own reports have in their context; at most 255. */
export const FIELD_NAMES: readonly string[] = [...CONTEXT_TEXTS, 'verdict'];
export const OTHER_NAME = 255;

/** Most fields of a context that are written one by one. */
export const MOST_FIELDS = 32;
/** The context is one COMPACT value. */
export const CONTEXT_AS_VALUE = 255;

/** What a field holds. The last four have text: a NUMBER as it is written, a COMPACT value with a character for each byte. */
export const Value = { NULL: 0, UNDEFINED: 1, FALSE: 2, TRUE: 3, STRING: 4, NUMBER: 5, COMPACT: 6 } as const;
