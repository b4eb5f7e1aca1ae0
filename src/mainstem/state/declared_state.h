// Declared state: the members of an operator that must survive; it names them, the driver saves and restores them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mainstem/state/snapshot.h"

namespace mainstem {

/// The state of one operator of one subtask. Declared once, in Open; pointers must live as long as the operator.
class DeclaredState {
 public:
  using Save = std::function<void(Snapshot&)>;
  using Load = std::function<Status(Snapshot&)>;

  void Number(std::string name, int64_t* value);
  void Flag(std::string name, bool* value);
  void Batches(std::string name, std::vector<Batch>* batches);
  /// State with a form of its own. `load` runs after everything declared before it has been loaded, before any
  /// event, and may use the operator's context: calls in flight are started again here.
  void Form(Save save, Load load);

  Snapshot Take() const;
  Status Restore(Snapshot snapshot) const;

 private:
  struct Cell {
    Save save;
    Load load;
  };
  std::vector<Cell> cells_;
};

}  // namespace mainstem
