/* Which members an object may still have, must still have, and what they need at least. Declared
 * ones come in schema order, or in any (then the frame knows which there are); further ones come
 * once no required one is missing, or at any time where patterns speak of them. */
#include "engine/machine.h"

const struct cell_object *machine_object_of(const struct machine *machine,
                                            const struct frame *frame) {
    return &machine->rules->cells[frame->cell].object;
}

const struct prop *machine_props(const struct machine *machine, const struct frame *frame) {
    return &machine->rules->props[machine_object_of(machine, frame)->props];
}

static bool is_written(const struct machine *machine, const struct frame *frame, uint32_t index) {
    if (index < 64) return frame->written >> index & 1;
    return machine_seen(machine, frame->others, index);
}

/* ---- what is still to come ---- */

struct outlook {
    uint32_t missing; /* required properties */
    uint32_t alive;   /* properties that may yet come */
    uint32_t rest;    /* bytes for what is missing and the brace */
};

static struct outlook outlook_from(const struct prop *prop) {
    return (struct outlook){prop->n_required, prop->n_alive, prop->rest};
}

static struct outlook outlook_of(const struct machine *machine, const struct frame *frame) {
    const struct prop *props = machine_props(machine, frame);
    if (machine_object_of(machine, frame)->ordered) return outlook_from(&props[frame->index]);
    return (struct outlook){frame->missing, props[0].n_alive - frame->index, frame->rest};
}

static uint32_t less(uint32_t total, uint32_t part) {
    return total >= RULES_LONGEST ? total : total - part;
}

/* With one more member: a property, or a further one (index: the number of properties). */
static struct outlook outlook_after(const struct machine *machine, const struct frame *frame,
                                    uint32_t index) {
    const struct cell_object *object = machine_object_of(machine, frame);
    const struct prop *props = machine_props(machine, frame);
    if (object->ordered) return outlook_from(&props[index < object->n_props ? index + 1 : index]);
    struct outlook after = outlook_of(machine, frame);
    if (index == object->n_props) return after;
    after.alive--;
    if (!props[index].required) return after;
    after.missing--;
    after.rest = less(after.rest, props[index].length);
    return after;
}

void machine_start_members(const struct machine *machine, struct frame *frame) {
    const struct prop *props = machine_props(machine, frame);
    if (machine_object_of(machine, frame)->ordered) return;
    frame->missing = props[0].n_required;
    frame->rest = props[0].rest;
}

bool machine_add_member(struct machine *machine, struct frame *frame, uint32_t index) {
    const struct cell_object *object = machine_object_of(machine, frame);
    struct outlook after = outlook_after(machine, frame, index);
    if (object->ordered) {
        frame->index = index < object->n_props ? index + 1 : index;
        return true;
    }
    if (index == object->n_props) return true;
    if (index < 64)
        frame->written |= 1ull << index;
    else if (!(frame->others = machine_add_seen(machine, frame->others, index)))
        return false;
    frame->index++;
    frame->missing = after.missing;
    frame->rest = after.rest;
    return true;
}

/* ---- which members may come next ---- */

/* How many further members there are keys for, at least, whatever the keys so far; plenty are more
 * than any minimum asks for. */
static uint32_t further_left(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = machine_object_of(machine, frame);
    if (!object->further || frame->depth + object->further_height > RULES_DEPTH) return 0;
    if (object->language == RULES_NONE) return LANGUAGE_PLENTY;
    uint32_t words = machine->rules->languages[object->language].language.words[0];
    uint32_t taken = frame->count + object->own;
    if (words == LANGUAGE_PLENTY) return words;
    return words > taken ? words - taken : 0;
}

/* With one more member: can the number of members come to lie within the limits? */
static bool countable(const struct machine *machine, const struct frame *frame, uint32_t index) {
    const struct cell_object *object = machine_object_of(machine, frame);
    struct outlook after = outlook_after(machine, frame, index);
    uint64_t members = (uint64_t)frame->members + 1;
    if (members + after.missing > object->max) return false;
    if (members + after.alive >= object->min) return true;
    uint32_t left = further_left(machine, frame), used = index == object->n_props;
    return left == LANGUAGE_PLENTY || members + after.alive + left >= object->min + used;
}

/* Is it the property's turn? */
static bool comes_next(const struct machine *machine, const struct frame *frame, uint32_t index) {
    const struct prop *props = machine_props(machine, frame);
    if (!machine_object_of(machine, frame)->ordered) return !is_written(machine, frame, index);
    return index >= frame->index && index <= props[frame->index].next_required;
}

bool machine_property(const struct machine *machine, const struct frame *frame, uint32_t index) {
    const struct prop *props = machine_props(machine, frame);
    return index < machine_object_of(machine, frame)->n_props && props[index].alive &&
           comes_next(machine, frame, index) && machine_fits(machine, frame, props[index].node) &&
           countable(machine, frame, index);
}

/* Members that patterns speak of may come before required ones. */
static bool waits(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = machine_object_of(machine, frame);
    bool any_time = !object->ordered && object->language != RULES_NONE;
    return !any_time && outlook_of(machine, frame).missing > 0;
}

bool machine_additional(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = machine_object_of(machine, frame);
    return object->further && frame->count < MACHINE_SEEN && !waits(machine, frame) &&
           frame->depth + object->further_height <= RULES_DEPTH &&
           countable(machine, frame, object->n_props) && machine_key_left(machine, frame);
}

static bool any_property(const struct machine *machine, const struct frame *frame) {
    const struct cell_object *object = machine_object_of(machine, frame);
    uint32_t from = object->ordered ? frame->index : 0, to = object->n_props;
    if (object->ordered && machine_props(machine, frame)[from].next_required < to)
        to = machine_props(machine, frame)[from].next_required + 1;
    for (uint32_t i = from; i < to; i++)
        if (machine_property(machine, frame, i)) return true;
    return false;
}

bool machine_may_close(const struct machine *machine, const struct frame *frame) {
    return outlook_of(machine, frame).missing == 0 &&
           frame->members >= machine_object_of(machine, frame)->min;
}

bool machine_may_continue(const struct machine *machine, const struct frame *frame) {
    return any_property(machine, frame) || machine_additional(machine, frame);
}

uint32_t machine_first_missing(const struct machine *machine, const struct frame *frame) {
    const struct prop *props = machine_props(machine, frame);
    uint32_t index = props[0].next_required;
    while (is_written(machine, frame, index)) index = props[index + 1].next_required;
    return index;
}

/* ---- lengths ---- */

/* What is missing, others if there must be more, and the brace. */
static uint32_t rest_of(const struct machine *machine, const struct frame *frame,
                        struct outlook outlook, uint32_t members) {
    const struct cell_object *object = machine_object_of(machine, frame);
    uint64_t sure = (uint64_t)members + outlook.missing, comma = machine->rules->spaced ? 2 : 1;
    if (sure >= object->min) return outlook.rest;
    uint64_t more = (object->min - sure) * (object->spare + comma);
    return rules_sum(outlook.rest, more > RULES_LONGEST ? RULES_LONGEST : (uint32_t)more);
}

uint32_t machine_members_rest(const struct machine *machine, const struct frame *frame) {
    return rest_of(machine, frame, outlook_of(machine, frame), frame->members);
}

uint32_t machine_rest_after(const struct machine *machine, const struct frame *frame,
                            uint32_t index) {
    return rest_of(machine, frame, outlook_after(machine, frame, index), frame->members + 1);
}
