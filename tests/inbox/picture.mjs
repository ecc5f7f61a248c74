// The picture of README.md, and whether it shows the page as it is: what a page says and how it is styled is in the
// picture's own file, as a hash, since no two browsers draw letters alike.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const KEYWORD = 'grantor-page';

/// What is another one each time: receipts, seals, times and where the server is.
const OTHERS = [
    [/gr-[a-z0-9]{26}/g, 'RECEIPT'], [/[0-9a-f]{64}/g, 'SEAL'], [/127\.0\.0\.1:\d+/g, 'HOST'],
    [/\d{4}-\d{2}-\d{2}T[\d:]+Z/g, 'TIME'], [/\d{4}-\d{2}-\d{2} \d{2}:\d{2}( UTC)?/g, 'TIME'],
    [/\((in )?\d+ (min|h|days)( ago)?\)|\(now\)/g, '(APART)'],
];

/// A hash over what a page says and the style that it has.
export async function shown(page) {
    let text = await page.content();
    for (const [other, word] of OTHERS) text = text.replaceAll(other, word);
    const style = await page.request.get(new URL(await page.locator('link[rel=stylesheet]').getAttribute('href'), page.url()).href);
    return createHash('sha256').update(text).update(await style.body()).digest('hex');
}

function crc(bytes) {
    let crc = ~0;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
}

/// Puts a hash into a picture's file: a chunk of text behind the first one, which every PNG begins with.
export function sign(file, hash) {
    const png = readFileSync(file);
    const body = Buffer.from(`tEXt${KEYWORD}\0${hash}`, 'latin1');
    const chunk = Buffer.alloc(body.length + 8);
    chunk.writeUInt32BE(body.length - 4, 0);
    body.copy(chunk, 4);
    chunk.writeUInt32BE(crc(body), body.length + 4);
    const first = 8 + 12 + png.readUInt32BE(8);
    writeFileSync(file, Buffer.concat([png.subarray(0, first), chunk, png.subarray(first)]));
}

/// The hash that is in a picture's file.
export function signed(file) {
    const text = readFileSync(file).toString('latin1');
    return new RegExp(`tEXt${KEYWORD}\0([0-9a-f]{64})`).exec(text)?.[1];
}
