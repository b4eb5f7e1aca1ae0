#include "mainstem/functions/builtin.h"
#include "mainstem/functions/text/families.h"

namespace mainstem {

Status RegisterTextFunctions(Registry& registry) {
  ARROW_RETURN_NOT_OK(RegisterTextChunking(registry));
  return RegisterVectorSimilarity(registry);
}

}  // namespace mainstem
