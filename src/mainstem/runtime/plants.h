// Plants: bugs that are put in on purpose, so that the simulator proves that it finds them. Test-only; all are off.
#pragma once

namespace mainstem::runtime {

struct Plants {
  bool no_alignment = false;               ///< the first barrier counts for all channels, and nothing is captured
  bool source_offset_off_by_one = false;   ///< a split goes on one row too late
  bool commit_before_manifest = false;     ///< sinks are told before the manifest is durable
  bool commit_on_prepare = false;          ///< what is staged becomes visible at the barrier
  bool no_recommit_on_restore = false;     ///< what was pending when the process died is forgotten
  bool keep_only_newest_pending = false;   ///< a commit that failed is forgotten by the next checkpoint
  bool uneven_key_groups = false;          ///< state moves by other runs of key groups than rows
  bool accept_stale_replies = false;       ///< a reply to an earlier attempt answers a call of this one
};

}  // namespace mainstem::runtime
