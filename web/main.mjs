// What the page loads: the estimator, and whatever of it stands on the page.

import { data } from "./data.mjs";
import { estimate, loadTables, makeDevice, makeModel, makeWeightFormat, maxBatchSize, maxContextLength } from "./estimator.mjs";
import { explain, explanationText } from "./explanation.mjs";

export { data, estimate, explain, explanationText, loadTables, makeDevice, makeModel, makeWeightFormat, maxBatchSize, maxContextLength };
