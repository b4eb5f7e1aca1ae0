#include "mainstem/simulation/plants.h"

namespace mainstem::simulation {

const std::vector<Plant>& AllPlants() {
  static const auto& plants = *new std::vector<Plant>{
      {"commit_on_prepare", "what is staged becomes visible at the barrier",
       [](Planted& p) { p.runtime.commit_on_prepare = true; }, Topology::kPointwise},
      {"commit_on_prepare_of_the_sink", "what a writer prepares becomes visible at once",
       [](Planted& p) { p.staging.commit_on_prepare = true; }, Topology::kPointwise},
      {"no_recommit_on_restore", "what was pending when the process died is forgotten",
       [](Planted& p) { p.runtime.no_recommit_on_restore = true; }, Topology::kPointwise},
      {"skip_staged_sync", "staged files are not synced", [](Planted& p) { p.staging.skip_staged_sync = true; },
       Topology::kPointwise},
      {"skip_fence", "an attempt that was replaced still publishes",
       [](Planted& p) { p.storage.skip_fence = true; }, Topology::kPointwise},
      {"no_alignment", "the first barrier counts for all channels", [](Planted& p) { p.runtime.no_alignment = true; },
       Topology::kKeyed},
      {"commit_before_manifest", "sinks are told before the manifest is durable",
       [](Planted& p) { p.runtime.commit_before_manifest = true; }, Topology::kPointwise},
      {"keep_only_newest_pending", "a commit that failed is forgotten by the next checkpoint",
       [](Planted& p) { p.runtime.keep_only_newest_pending = true; }, Topology::kPointwise},
      {"publish_in_place", "the manifest is written under its name", [](Planted& p) { p.storage.publish_in_place = true; },
       Topology::kPointwise},
      {"source_offset_off_by_one", "a split goes on one row too late",
       [](Planted& p) { p.runtime.source_offset_off_by_one = true; }, Topology::kPointwise},
      {"new_names_on_recommit", "what is visible is made visible again under another name",
       [](Planted& p) { p.staging.new_names_on_recommit = true; }, Topology::kPointwise},
      {"skip_snapshot_sync", "snapshots are not synced", [](Planted& p) { p.storage.skip_snapshot_sync = true; },
       Topology::kPointwise},
      {"delete_referenced", "files go with their checkpoint, whoever else refers to them",
       [](Planted& p) { p.storage.delete_referenced = true; }, Topology::kPointwise},
      {"uneven_key_groups", "state moves by other runs of key groups than rows",
       [](Planted& p) { p.runtime.uneven_key_groups = true; }, Topology::kKeyed},
      {"use_before_append", "a reply is used before it is kept", [](Planted& p) { p.journal.use_before_append = true; },
       Topology::kCalls},
      {"accept_stale_replies", "a reply to an earlier attempt answers a call of this one",
       [](Planted& p) { p.runtime.accept_stale_replies = true; }, Topology::kCalls},
  };
  return plants;
}

}  // namespace mainstem::simulation
