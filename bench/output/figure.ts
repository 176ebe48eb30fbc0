// Figures as people read them: three digits that count.

export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= 10_000_000) return `${short(value / 1e6)} M`;
  if (size >= 10_000) return `${short(value / 1e3)} k`;
  return short(value);
}

function short(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}
