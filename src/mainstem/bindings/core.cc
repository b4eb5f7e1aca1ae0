// The module mainstem._core.
#include "mainstem/bindings/bindings.h"

NB_MODULE(_core, module) {
  module.doc() = "Mainstem's native engine. Use the package mainstem; this module is its inside.";
  mainstem::bindings::AddError(module);
  mainstem::bindings::AddArrow(module);
  mainstem::bindings::AddEngine(module);
  mainstem::bindings::AddJournal(module);
  mainstem::bindings::AddCheckpoint(module);
}
