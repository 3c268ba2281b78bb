#include "engine/place.h"

#include <string.h>

bool place_in_array(const struct place *place) {
    return place->depth && place->depth <= 64 && place->arrays >> (place->depth - 1) & 1;
}

static void open_level(struct place *place, bool array) {
    if (place->depth < 64) {
        uint64_t bit = 1ull << place->depth;
        place->arrays = array ? place->arrays | bit : place->arrays & ~bit;
    }
    place->depth++;
    place->kind = array ? PLACE_VALUE : PLACE_OTHER;
}

static void in_string(struct place *place, char c) {
    bool ends = c == '"' && !place->escaped;
    place->escaped = c == '\\' && !place->escaped;
    if (!ends) return;
    if (place->kind == PLACE_STRING) place->string = (struct place_span){place->start, place->at};
    place->kind = place->kind == PLACE_STRING ? PLACE_AFTER : PLACE_OTHER;
}

static void between(struct place *place, char c) {
    if (place->kind == PLACE_WORD && strchr(",]} \n", c)) {
        place->word = (struct place_span){place->start, place->at};
        place->kind = PLACE_AFTER;
    }
    switch (c) {
    case '"':
        place->kind = place->kind == PLACE_VALUE ? PLACE_STRING : PLACE_KEY;
        place->start = place->at + 1;
        break;
    case '{':
    case '[': open_level(place, c == '['); break;
    case '}':
    case ']':
        place->depth -= place->depth > 0;
        place->kind = PLACE_AFTER;
        break;
    case ':': place->kind = PLACE_VALUE; break;
    case ',': place->kind = place_in_array(place) ? PLACE_VALUE : PLACE_OTHER; break;
    case ' ':
    case '\n': break;
    default:
        if (place->kind != PLACE_VALUE) return;
        place->kind = PLACE_WORD;
        place->start = place->at;
    }
}

void place_read(struct place *place, const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++, place->at++) {
        if (place->kind == PLACE_STRING || place->kind == PLACE_KEY)
            in_string(place, bytes[i]);
        else
            between(place, bytes[i]);
    }
}
