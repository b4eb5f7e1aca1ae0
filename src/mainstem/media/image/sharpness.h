// Sharpness: the variance of a picture's Laplacian.
#pragma once

#include "mainstem/data/image.h"

namespace mainstem {

/// Variance of the 4-neighbour Laplacian (l + r + t + b - 4·c) of the grey picture (Pillow's L, 0 … 255) over its
/// inner pixels (J. L. Pech-Pacheco and others, ICPR 2000). Blurred pictures are near 0; there is no upper bound. A
/// picture under 3 pixels a side has no inner pixels: 0.
Result<double> Sharpness(const Image& image);

}  // namespace mainstem
