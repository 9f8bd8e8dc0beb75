/* Recurrent layers: the pointwise part of cells, and steps of sequences (recurrent/step.h). */
#include "recurrent/cells.h"
#include "recurrent/lstm.h"
#include "recurrent/gru.h"
#include "recurrent/rnn.h"
#include "recurrent/gradients.h"
