#include "mainstem/functions/builtin.h"

#include <arrow/compute/initialize.h>

namespace mainstem {

Result<Registry> BuiltinRegistry() {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  Registry registry;
  ARROW_RETURN_NOT_OK(RegisterVectorFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterAggregates(registry));
  ARROW_RETURN_NOT_OK(RegisterImageFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterAudioFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterVideoFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterDocumentFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterTextFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterFileFunctions(registry));
  ARROW_RETURN_NOT_OK(RegisterModelFunctions(registry));
  return registry;
}

}  // namespace mainstem
