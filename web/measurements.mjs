// The published measurements, which come together with what shows them.

import { comparisonParts } from "./comparison.mjs";
import { rowsOf } from "./estimator.mjs";
import { measurementData } from "./measurement-data.mjs";
import { comparable } from "./nearest.mjs";

/**
 * The measurements.
 * @param {object} tables - Those of `estimator.mjs`.
 * @returns {object[]} One row per measurement.
 */
export function publishedMeasurements({ devices, models, weight_formats, engines }) {
  return (
    rowsOf(measurementData)
      // This script and that of the tables may be of different days while a new edition is put in the place of an old one.
      .filter(
        (row) =>
          devices.has(row.device) &&
          models.has(row.model) &&
          weight_formats.has(row.weights) &&
          engines.has(row.engine),
      )
      .map((row) => Object.freeze({ ...row, source: sourceOf(row.source) }))
  );
}

function sourceOf(url) {
  return { url, title: url.replace(/^https:\/\/(?:github\.com\/)?/, "") };
}

export { comparable, comparisonParts };
