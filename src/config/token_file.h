/* Reads triggers.token_file into triggers.token, unless that is set already. */
#pragma once

#include "config/draft.h"

int token_file_apply(struct draft *draft); /* 0 or -ENOMEM; what is wrong is reported */
