#include "mainstem/state/declared_state.h"

#include <utility>

namespace mainstem {

void DeclaredState::Number(std::string name, int64_t* value) {
  Form([name, value](Snapshot& to) { to.numbers[name] = *value; },
       [name, value](Snapshot& from) {
         *value = from.Number(name, *value);
         return Status::OK();
       });
}

void DeclaredState::Flag(std::string name, bool* value) {
  Form([name, value](Snapshot& to) { to.numbers[name] = *value ? 1 : 0; },
       [name, value](Snapshot& from) {
         *value = from.Number(name, *value ? 1 : 0) != 0;
         return Status::OK();
       });
}

void DeclaredState::Batches(std::string name, std::vector<Batch>* batches) {
  Form([name, batches](Snapshot& to) { to.batches[name] = *batches; },
       [name, batches](Snapshot& from) {
         *batches = from.Take(name);
         return Status::OK();
       });
}

void DeclaredState::Form(Save save, Load load) { cells_.push_back({std::move(save), std::move(load)}); }

Snapshot DeclaredState::Take() const {
  Snapshot snapshot;
  for (const Cell& cell : cells_) cell.save(snapshot);
  return snapshot;
}

Status DeclaredState::Restore(Snapshot snapshot) const {
  for (const Cell& cell : cells_) ARROW_RETURN_NOT_OK(cell.load(snapshot));
  return Status::OK();
}

}  // namespace mainstem
