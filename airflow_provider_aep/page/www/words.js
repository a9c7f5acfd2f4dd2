/* Times, counts and names as people read them. Pure functions; times come as ISO 8601 strings. */

const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const DAY = 86400;
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const counts = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clocks = new Map();

/** The time zone chosen in Airflow's UI; undefined leaves it to the browser. */
function timeZone() {
  try {
    return JSON.parse(localStorage.getItem("timezone")) || undefined;
  } catch {
    return undefined;
  }
}

function clock(style) {
  const zone = timeZone();
  const key = `${style} ${zone}`;
  if (!clocks.has(key)) {
    const parts = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    const full = style === "full" ? { year: "numeric", timeZoneName: "short" } : {};
    try {
      clocks.set(key, new Intl.DateTimeFormat("en-GB", { ...parts, ...full, timeZone: zone }));
    } catch {
      clocks.set(key, new Intl.DateTimeFormat("en-GB", { ...parts, ...full }));
    }
  }
  return clocks.get(key);
}

function moment(iso) {
  const time = new Date(iso ?? NaN);
  return Number.isNaN(time.getTime()) ? null : time;
}

/** "12 Nov 03:00", in the time zone chosen in Airflow. */
export function shortTime(iso) {
  const time = moment(iso);
  return time === null ? "unknown time" : clock("short").format(time).replace(",", "");
}

/** "12 Nov 2026, 03:00 UTC". */
export function fullTime(iso) {
  const time = moment(iso);
  return time === null ? "" : clock("full").format(time);
}

/** "UTC", "CET": the time zone of all times on the page. */
export function zoneName(now) {
  return clock("full").formatToParts(now).find(({ type }) => type === "timeZoneName").value;
}

/** "in 3 hours", "5 minutes ago". */
export function relativeTime(iso, now) {
  const time = moment(iso);
  return time === null ? "" : relativeSeconds((time.getTime() - now) / 1000);
}

function relativeSeconds(seconds) {
  if (Math.abs(seconds) < 1) {
    return "now";
  }
  const [unit, size] = UNITS.find(([, unitSeconds]) => Math.abs(seconds) >= unitSeconds) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

/** How old something is: "12 minutes". */
export function age(seconds) {
  if (seconds < 2) {
    return "a moment";
  }
  const [unit, size] = UNITS.find(([, unitSeconds]) => seconds >= unitSeconds);
  const number = Math.floor(seconds / size);
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** "45 seconds", "22 hours 57 minutes", "30 days": a span in words, by the rules of `times.span_words`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) {
    return "–";
  }
  if (seconds < 0.995) {
    return `${Number(Math.max(seconds, 0).toPrecision(2))} seconds`;
  }
  const unit = seconds < 120 ? 1 : seconds < DAY ? 60 : 3600;
  const whole = halfToEven(seconds / unit) * unit;
  const days = Math.floor(whole / DAY);
  if (days >= 7) {
    return `${halfToEven(whole / DAY)} days`;
  }
  const parts = [[days, "day"], [Math.floor(whole / 3600) % 24, "hour"], [Math.floor(whole / 60) % 60, "minute"], [whole % 60, "second"]];
  return parts.filter(([number]) => number).map(([number, noun]) => plural(number, noun)).join(" ");
}

/** Rounded to the nearest whole number; halves to the even one. */
function halfToEven(number) {
  const up = Math.round(number);
  return up - number === 0.5 && up % 2 ? up - 1 : up;
}

/** "1,018"; a dash for an unknown count. */
export function count(number) {
  return number === null || number === undefined ? "–" : counts.format(number);
}

/** "1.2M", for axes. */
export function shortCount(number) {
  return compact.format(number);
}

/** "14.2 MB"; Adobe counts in thousands. */
export function bytes(number) {
  if (number === null || number === undefined) {
    return "–";
  }
  const step = number < 1 ? 0 : Math.min(Math.floor(Math.log10(number) / 3), 5);
  const value = number / 1000 ** step;
  return `${step && value < 100 ? value.toFixed(1) : Math.round(value)} ${["B", "kB", "MB", "GB", "TB", "PB"][step]}`;
}

/** "50 – 58", or "4 minutes" if both ends read the same. */
export function range(low, high, tell) {
  const [from, to] = [tell(low), tell(high)];
  return from === to ? from : `${from} – ${to}`;
}

/** "1 run", "2 runs". */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

const CADENCES = { once: "once", "1d": "daily" };

/** A schedule's word in a sentence: "every 3h", "daily", "once". */
export function cadence(every) {
  return CADENCES[every] ?? (/^\d+[hd]$/.test(every ?? "") ? `every ${every}` : (every ?? "–"));
}

/** A schedule's word in hours, as a sort key; once sorts last. */
export function cadenceHours(every) {
  const match = /^(\d+)([hd])$/.exec(every ?? "");
  return match ? Number(match[1]) * (match[2] === "d" ? 24 : 1) : Infinity;
}

// Characters that are invisible, or change the direction of what follows; not those that join letters and emoji.
const JOINING = /[\u200c\u200d\ufe00-\ufe0f]/g;
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u2800\ufff9-\ufffb]|(?![\u200c\u200d\ufe00-\ufe0f])\p{Default_Ignorable_Code_Point}/gu;

/** A name in which characters that are invisible, or would reorder the rest, are spelled out. */
export function plainName(name) {
  const text = String(name ?? "").replace(UNSEEN, (letter) => {
    const code = letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `⟨U+${code}⟩`;
  });
  return text.replace(JOINING, "").trim() === "" ? "(no name)" : text;
}

// A time in a sentence of the server; of two with a word between them, only the last has the zone.
const MOMENT = /\b(\d{4}-\d\d-\d\d) (\d\d:\d\d)(?: UTC\b|(?= \w+ \d{4}-\d\d-\d\d \d\d:\d\d UTC\b))/g;

/** A sentence of the server, with its times converted to the time zone chosen in Airflow. */
export function sentence(text) {
  return plainName(text).replace(MOMENT, (_, day, time) => shortTime(`${day}T${time}:00Z`));
}

/** The address if a link may have it: https, http, or a path within Airflow. Otherwise null. */
export function safeAddress(address) {
  if (typeof address !== "string" || address === "") {
    return null;
  }
  try {
    const url = new URL(address, document.baseURI);
    return ["https:", "http:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
