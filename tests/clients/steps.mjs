// What a client prints for `run` to count: a line a step, `pass` or `fail`.

import assert from "node:assert/strict";

/** Does a step under the client's name, and reports how it ended. */
export const steps = (name) => {
  const report = (ok, step, why = "") => {
    why = String(why).replace(/\s+/g, " ").slice(0, 400);
    console.log([ok ? "pass" : "fail", name, step, ...(why ? [why] : [])].join("\t"));
  };
  return async (what, work) => {
    try {
      await work();
      report(true, what);
    } catch (error) {
      if (!(error instanceof assert.AssertionError)) console.error(error);
      report(false, what, error);
    }
  };
};
