-- The activity of a licence is the latest activity of its services, and its status that of the most active one.
with services as (
  select
    tenant_id,
    user_id,
    sku_id,
    bool_or(activity_status = 'active') as any_active,
    bool_and(activity_status = 'not_measurable') as none_measurable,
    bool_or(last_activity_date is not null) as any_seen,
    count(*) as services
  from {{ ref('license_activity') }}
  group by 1, 2, 3
)

select a.*
from {{ ref('license_assignments') }} as a
left join services as s on s.tenant_id = a.tenant_id and s.user_id = a.user_id and s.sku_id = a.sku_id
where (a.activity_basis = 'service') <> (s.services is not null)
  or (a.activity_basis = 'service' and (a.activity_status = 'active') <> s.any_active)
  or (a.activity_basis = 'service' and (a.activity_status = 'not_measurable') <> s.none_measurable)
  or (a.activity_basis = 'service' and (a.last_activity_date is not null) <> s.any_seen)
