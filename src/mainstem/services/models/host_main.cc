// mainstem-host: the program of a native replica; it answers calls with one model.
#include "mainstem/services/host/model.h"
#include "mainstem/services/models/models.h"

int main() { return mainstem::ServeModel(mainstem::LoadModel); }
