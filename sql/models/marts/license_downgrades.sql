-- Grain: one row per user, SKU and smaller SKU that a rule offers for it, whatever became of the offer.
-- One veto alone blocks. What should be measured and is not makes the offer not measurable, and what cannot be measured at all
-- is left to a person.
with offers as (
  select
    h.tenant_id,
    h.user_id,
    h.sku_id,
    h.assigned_by,
    p.rule,
    p.to_sku_id,
    p.unused,
    p.mailbox_limit_bytes,
    p.onedrive_limit_bytes,
    p.lost_plans,
    p.unmeasured_plans,
    p.not_observable
  from {{ ref('int_downgrade_plans') }} as p
  join {{ ref('int_user_variants') }} as h on h.variant = p.variant
),

-- Days after an assignment in which silence says nothing, and the first day that any of the sources ends on.
grace as (
  select
    k.tenant_id,
    k.sku_id,
    coalesce(of_sku.grace_days, of_part.grace_days, of_all.grace_days) as grace_days
  from {{ ref('int_skus') }} as k
  join {{ ref('activity_thresholds') }} as of_all on of_all.scope = 'default'
  left join {{ ref('activity_thresholds') }} as of_sku on of_sku.scope = 'sku' and lower(of_sku.sku_id) = k.sku_id
  left join {{ ref('activity_thresholds') }} as of_part on of_part.scope = 'sku' and lower(of_part.sku_id) = lower(k.sku_part_number)
),

ends as (
  select tenant_id, min(observed_through) as observed_through
  from {{ ref('int_coverage') }}
  where is_measured and kind in ('report', 'sign_ins')
  group by 1
),

seen as (
  select
    o.*,
    u.as_of_date,
    u.user_principal_name,
    -- A service that no plan of the licence entitles any more can't be used.
    case when o.unused is null or o.unused like '%desktop' then null else coalesce(a.activity_status, case when l.user_id is not null then 'not_entitled' end, 'not_measurable') end
      as service_status,
    a.last_activity_date as service_last_activity_date,
    coalesce(date_diff('day', l.assigned_date, e.observed_through) < g.grace_days, false) as is_too_new,
    d.activations,
    d.is_used,
    s.mailbox_bytes,
    s.has_archive,
    s.onedrive_bytes,
    f.unit_cents as from_cents,
    f.currency,
    coalesce(f.is_estimate, false) or coalesce(t.is_estimate, false) as is_estimate,
    case when t.currency = f.currency then t.unit_cents end as to_cents,
    x.user_id is not null as is_redundant
  from offers as o
  left join {{ ref('int_users') }} as u on u.tenant_id = o.tenant_id and u.user_id = o.user_id
  left join {{ ref('license_assignments') }} as l on l.tenant_id = o.tenant_id and l.user_id = o.user_id and l.sku_id = o.sku_id
  left join grace as g on g.tenant_id = o.tenant_id and g.sku_id = o.sku_id
  left join ends as e on e.tenant_id = o.tenant_id
  left join {{ ref('int_license_activity') }} as a
    on a.tenant_id = o.tenant_id and a.user_id = o.user_id and a.sku_id = o.sku_id and a.service = o.unused
  left join {{ ref('int_desktop_use') }} as d on d.tenant_id = o.tenant_id and d.user_id = o.user_id and d.measure = o.unused
  left join {{ ref('int_user_storage') }} as s on s.tenant_id = o.tenant_id and s.user_id = o.user_id
  left join {{ ref('int_unit_prices') }} as f on f.tenant_id = o.tenant_id and f.sku_id = o.sku_id
  left join {{ ref('int_unit_prices') }} as t on t.tenant_id = o.tenant_id and t.sku_id = o.to_sku_id
  left join {{ ref('license_overlaps') }} as x on x.tenant_id = o.tenant_id and x.user_id = o.user_id and x.sku_id = o.sku_id
),

weighed as (
  select
    s.*,
    case when unused not like '%desktop' and service_status = 'active' then unused || ' was used on ' || cast(service_last_activity_date as varchar) || '; ' else '' end
      || case when is_too_new then 'assigned too recently to judge; ' else '' end
      || case when activations > 0 then 'desktop apps are activated; ' else '' end
      || case when is_used then 'desktop apps were used; ' else '' end
      || case when mailbox_bytes >= mailbox_limit_bytes then 'the mailbox is too large; ' else '' end
      || case when mailbox_limit_bytes is not null and has_archive then 'there is an archive mailbox; ' else '' end
      || case when onedrive_bytes >= onedrive_limit_bytes then 'OneDrive is too large; ' else '' end
      || case when is_redundant then 'the licence is redundant, see license_overlaps; ' else '' end
      || case when to_cents >= from_cents then 'the smaller licence is not cheaper; ' else '' end as vetoes,
    case when unused not like '%desktop' and service_status = 'not_measurable' then unused || '; ' else '' end
      || case when unused like '%desktop' and activations is null then 'activations; ' else '' end
      || case when unused like '%desktop' and is_used is null then 'use of desktop apps; ' else '' end
      || case when mailbox_limit_bytes is not null and mailbox_bytes is null then 'mailbox size; ' else '' end
      || case when mailbox_limit_bytes is not null and has_archive is null then 'archive mailbox; ' else '' end
      || case when onedrive_limit_bytes is not null and onedrive_bytes is null then 'OneDrive size; ' else '' end as unmeasured
  from seen as s
)

select
  w.tenant_id,
  w.as_of_date,
  w.user_id,
  w.user_principal_name,
  w.sku_id,
  k.product_name,
  w.to_sku_id,
  coalesce(c.product_name, w.to_sku_id) as to_product_name,
  w.rule,
  case
    when w.vetoes <> '' then 'blocked'
    when w.unmeasured <> '' then 'not_measurable'
    when w.unmeasured_plans is not null or w.not_observable is not null then 'needs_confirmation'
    else 'proposed'
  end as verdict,
  nullif(regexp_replace(w.vetoes, '; $', ''), '') as blocked_by,
  nullif(regexp_replace(w.unmeasured, '; $', ''), '') as not_measured,
  case
    when w.not_observable is not null and w.unmeasured_plans is not null then w.not_observable || '; use of ' || w.unmeasured_plans
    when w.not_observable is not null then w.not_observable
    when w.unmeasured_plans is not null then 'use of ' || w.unmeasured_plans
  end as needs_confirmation,
  cast(w.lost_plans as integer) as lost_plans,
  w.service_status,
  w.service_last_activity_date,
  cast(w.activations as integer) as desktop_activations,
  w.is_used as uses_desktop,
  w.mailbox_bytes,
  w.mailbox_limit_bytes,
  w.has_archive,
  w.onedrive_bytes,
  w.onedrive_limit_bytes,
  w.assigned_by,
  case when w.to_cents < w.from_cents then cast(cast(w.from_cents - w.to_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) end as annual_saving,
  case when w.to_cents < w.from_cents then w.currency end as currency,
  case when w.to_cents < w.from_cents then w.is_estimate else false end as is_estimate
from weighed as w
join {{ ref('int_skus') }} as k on k.tenant_id = w.tenant_id and k.sku_id = w.sku_id
left join {{ ref('stg_catalog_skus') }} as c on c.sku_id = w.to_sku_id
