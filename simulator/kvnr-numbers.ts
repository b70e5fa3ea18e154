const numbersInAll = 26 * 100_000_000;
const stride = 1_618_033_987; // coprime to numbersInAll, so that every index has a different number
const strideInverse = inverse(stride, numbersInAll);

/** Returns the KVNR of an index. The mapping is one to one, and scattered over the alphabet. */
export function kvnrOf(index: number, offset: number): string {
  const product =
    index < 5_000_000
      ? (index * stride) % numbersInAll
      : Number((BigInt(index) * BigInt(stride)) % BigInt(numbersInAll));
  const number = (product + offset) % numbersInAll;
  const letter = String.fromCharCode(65 + Math.floor(number / 100_000_000));
  const digits = String(number % 100_000_000).padStart(8, '0');
  return letter + digits + checkDigit(letter, digits);
}

/** Returns the index of a KVNR from `kvnrOf`, or undefined if the KVNR is invalid. */
export function indexOf(kvnr: string, offset: number): number | undefined {
  if (!/^[A-Z][0-9]{9}$/.test(kvnr)) return undefined;
  const digits = kvnr.slice(1, 9);
  if (checkDigit(kvnr.charAt(0), digits) !== Number(kvnr.charAt(9))) return undefined;
  const number = (kvnr.charCodeAt(0) - 65) * 100_000_000 + Number(digits);
  const distance = (number - (offset % numbersInAll) + numbersInAll) % numbersInAll;
  return Number((BigInt(distance) * strideInverse) % BigInt(numbersInAll));
}

/**
 * Computes a check digit (insurer-api.yaml, Kvnr). Not shared with the client, because a judge must not share its
 * mistakes.
 */
function checkDigit(letter: string, digits: string): number {
  const place = letter.charCodeAt(0) - 64;
  let sum = Math.floor(place / 10) + crossSum((place % 10) * 2);
  for (let at = 0; at < 8; at++) sum += crossSum((digits.charCodeAt(at) - 48) * (at % 2 === 0 ? 1 : 2));
  return sum % 10;
}

const crossSum = (product: number): number => (product > 9 ? product - 9 : product);

function inverse(value: number, modulus: number): bigint {
  let [remainder, next] = [BigInt(modulus), BigInt(value)];
  let [factor, nextFactor] = [0n, 1n];
  while (next !== 0n) {
    const quotient = remainder / next;
    [remainder, next] = [next, remainder - quotient * next];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return ((factor % BigInt(modulus)) + BigInt(modulus)) % BigInt(modulus);
}
