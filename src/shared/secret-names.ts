// Which names say that their value is secret: by the stem at their end, whatever stands before it.

/** Stems, of keys and in texts. Words of a name may be joined, or divided by `_` or `-`. */
export const SECRET_STEMS =
  'password|passwd|passphrase|passcode|pwd|secret|token|credential|authorization|cookie|bearer|jwt|(?:api|private|access|secret|signing|encryption)[_-]?key';

/** What may follow a stem: a plural, a number, the form that the secret has. Bounded, so that nothing backtracks for long. */
export const AFTER_STEM = '(?:s|es)?(?:[_-]?(?:hash|value|key|pem|base64|hex|text|header|v?\\d{1,8})){0,2}';

const SECRET_NAME = new RegExp(`(?:${SECRET_STEMS}|(?:^|_)pass)${AFTER_STEM}$`);
const LONGEST_NAME = 200;
/** Names are few and come again: each is looked at once, as long as there is room. */
const MOST_REMEMBERED = 2000;
const remembered = new Map<string, boolean>();

/** `passwords`, `newPassword1`, `db_pwd`, `GITHUB_TOKEN`; not `tokenCount`. */
export function isSecretName(key: string): boolean {
  let isSecret = remembered.get(key);
  if (isSecret === undefined) {
    isSecret = SECRET_NAME.test(normalName(key));
    if (key.length <= LONGEST_NAME && remembered.size < MOST_REMEMBERED) remembered.set(key, isSecret);
  }
  return isSecret;
}

/** apiKey, api-key and API_KEY are one name. Only the end of a long one counts. */
export function normalName(key: string): string {
  return key
    .slice(-LONGEST_NAME)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}
