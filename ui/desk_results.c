/* SPDX-License-Identifier: MIT */
#include "ui/desk_results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/desk_edit.h"
#include "ui/format.h"

static void keep_measured(struct desk *d, const struct run_result *r, uint64_t revision, const char *listening)
{
    mem_free(d->measured.kernels);
    d->measured = (struct desk_measured){.known = true,
                                         .partial = r->partial,
                                         .accuracy = r->accuracy,
                                         .agreement = r->agreement,
                                         .latency_ns = r->latency_ns,
                                         .bytes = r->bytes,
                                         .images = r->images,
                                         .revision = revision};
    snprintf(d->measured.listening, sizeof d->measured.listening, "%s", listening);
    if (r->n_layers != d->model->n)
        return;
    d->measured.kernels = mem_new((size_t)r->n_layers + 1, sizeof *d->measured.kernels);
    for (int i = 0; i < r->n_layers; i++)
        d->measured.kernels[i] = r->layers[i].kernel;
}

/* "92.31 % of 10000 images (estimate 92.40), 0.41 ms, 118.2 KiB" */
static void measured_text(const struct desk *d, const struct run_result *r, bool same, char out[200])
{
    char number[24];
    size_t n = 0;
    out[0] = '\0';
    if (!isnan(r->accuracy))
        n += (size_t)snprintf(out, 200, "%s %% of %d images", format_number(number, r->accuracy, 2), r->images);
    else if (!isnan(r->agreement))
        n += (size_t)snprintf(out, 200, "agrees with fp32 on %s %% of %d images",
                              format_number(number, r->agreement, 1), r->images);
    if (same && !isnan(r->accuracy) && !isnan(d->est.accuracy.value))
        n += (size_t)snprintf(out + n, 200 - n, " (est %s)", format_number(number, d->est.accuracy.value, 2));
    if (r->latency_ns > 0) {
        struct scale s = format_time_scale(r->latency_ns);
        n += (size_t)snprintf(out + n, 200 - n, "%s%s %s", n ? ", " : "",
                              format_number(number, r->latency_ns / s.divisor, s.decimals), s.unit);
    }
    int replaced = 0;
    for (int i = 0; i < r->n_layers; i++)
        replaced += !precision_equal(&r->layers[i].requested, &r->layers[i].applied);
    if (replaced)
        snprintf(out + n, 200 - n, "; %d layer%s ran otherwise than asked", replaced, replaced == 1 ? "" : "s");
}

void desk_take_run(struct desk *d, const struct run_result *r, uint64_t revision, const char *listening)
{
    char text[200], now[96];
    desk_listening(d, now);
    bool same = revision == history_revision(&d->history) && !strcmp(listening, now);
    keep_measured(d, r, revision, listening);
    measured_text(d, r, same, text);
    desk_say(d, ROLE_MEASURED, "%s%s%s: %s", r->partial ? "stopped; measured so far" : "measured",
             *listening ? " " : "", listening, text);
}

static void set_string(char **to, const char *s)
{
    if (*to && s && !strcmp(*to, s))
        return;
    mem_free(*to);
    *to = s ? mem_strdup(s) : NULL;
}

void desk_take_found(struct desk *d, const struct profile *p, const char *message)
{
    desk_take(d, p, message);
    d->found = history_revision(&d->history);
    set_string(&d->method, p->search);
    set_string(&d->sensitivity, p->sensitivity);
    d->seed = p->seed;
}

static void put_on_desk(struct desk *d, const struct search_result *r)
{
    char text[200], now[96];
    desk_take_found(d, r->profile, r->verified ? "search found it, and measured it" : "search found it");
    if (r->verified) {
        desk_listening(d, now);
        keep_measured(d, &r->run, d->found, "");
        measured_text(d, &r->run, !*now, text);
        desk_say(d, ROLE_MEASURED, "search found and measured: %s.   u undoes", text);
    }
}

void desk_take_search(struct desk *d, struct search_result *r, uint64_t revision)
{
    if (!r->profile) {
        desk_say(d, ROLE_NEAR, "search: %s", r->why[0] ? r->why : "nothing is feasible");
        return;
    }
    if (revision == history_revision(&d->history)) {
        put_on_desk(d, r);
        if (!r->feasible && r->why[0])
            desk_say(d, ROLE_NEAR, "closest found, budget not met: %.180s   u undoes", r->why);
        profile_free(r->profile);
    } else {
        profile_free(d->offer);
        d->offer = r->profile;
        desk_say(d, ROLE_NEAR, "search found a profile while you edited: :take puts it on the desk (u undoes that)");
    }
    r->profile = NULL;
}

static void stamp_measured(struct profile *p, const struct desk *d)
{
    const struct desk_measured *m = &d->measured;
    bool current = m->known && !m->partial && !*m->listening && m->revision == history_revision(&d->history);
    if (current && m->loaded)
        return;
    for (int i = 0; p->executed && i < p->n_layers; i++)
        mem_free(p->executed[i]);
    mem_free(p->executed);
    p->executed = NULL;
    p->measurement = (struct profile_result){.accuracy = NAN, .accuracy_error = NAN, .fp32_accuracy = NAN};
    p->measurement.latency_us = NAN;
    if (!current)
        return;
    p->measurement.known = true;
    p->measurement.accuracy = m->accuracy;
    p->measurement.fp32_accuracy = d->tables->fp32_accuracy;
    p->measurement.latency_us = m->latency_ns > 0 ? m->latency_ns * 1e-3 : NAN;
    p->measurement.bytes = m->bytes;
    p->measurement.images = m->images;
    if (!m->kernels)
        return;
    p->executed = mem_new((size_t)p->n_layers + 1, sizeof *p->executed);
    for (int i = 0; i < p->n_layers; i++)
        p->executed[i] = m->kernels[i] ? mem_strdup(m->kernels[i]) : NULL;
}

void desk_stamp(struct desk *d)
{
    struct profile *p = d->profile;
    struct estimate e;
    bool found = d->found == history_revision(&d->history);
    set_string(&p->search, found ? d->method : NULL);
    set_string(&p->sensitivity, found ? d->sensitivity : NULL);
    p->seed = found ? d->seed : 0;
    stamp_measured(p, d);
    estimate_profile(d->tables, p, NULL, &e); /* of the profile itself: what is muted is not saved */
    p->estimate = (struct profile_result){.known = !isnan(e.accuracy.value) || !isnan(e.latency.value),
                                          .accuracy = e.accuracy.value,
                                          .accuracy_error = e.accuracy.error,
                                          .fp32_accuracy = e.accuracy.fp32,
                                          .latency_us = e.latency.value * 1e-3,
                                          .bytes = isnan(e.size.value) ? 0 : (int64_t)e.size.value};
}
