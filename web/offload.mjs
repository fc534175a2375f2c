// A part of the model in the host's memory: the formulas of it, and the table that they read.

import { brought } from "./brought.mjs";
import { rowsOf } from "./estimator.mjs";
import { offloadData } from "./offload-data.mjs";
import {
  Host,
  host_weight_bytes,
  OffloadCalibration,
  offload_of,
  offloaded_prompt,
  placement_of,
  require_split,
  split_that_fits,
  with_host,
} from "./offload-formulas.mjs";

const measuredOfHosts = new OffloadCalibration(rowsOf(offloadData.calibration)[0]);

Object.assign(brought, {
  host_weight_bytes,
  offload_calibration: () => measuredOfHosts,
  offload_of,
  offloaded_prompt,
  placement_of,
  require_split,
  split_that_fits,
  with_host,
});

/** A computer that devices are plugged into, by its fields in Python. */
export const makeHost = (fields) => new Host({ id: "own", ...fields });
