-- Grain: one row per user, managed SKU the user holds, and reason to take it back.
-- A tenant whose reports hide names has none: who uses what cannot be told there.
with tenants as (
  select
    tenant_id,
    bool_or(state = 'concealed') as is_concealed
  from {{ ref('int_coverage') }}
  group by 1
),

-- An HR file that knows none of a tenant's users says nothing about the others.
hr_tenants as (
  select distinct tenant_id from {{ ref('int_employees') }}
),

held as (
  select
    l.tenant_id,
    l.user_id,
    l.sku_id,
    l.activity_status,
    u.account_enabled,
    u.is_guest,
    h.hr_status,
    t.tenant_id is not null as has_hr,
    m.user_id is not null as is_shared_mailbox,
    u.sign_in_evidence = 'complete' and u.last_sign_in_at is null and u.last_sign_in_attempt_at is null as never_signed_in
  from {{ ref('int_license_use') }} as l
  join tenants as c on c.tenant_id = l.tenant_id and not c.is_concealed
  join {{ ref('int_users') }} as u on u.tenant_id = l.tenant_id and u.user_id = l.user_id
  left join hr_tenants as t on t.tenant_id = l.tenant_id
  left join {{ ref('int_employees') }} as h on h.tenant_id = l.tenant_id and h.user_id = l.user_id
  left join {{ ref('int_shared_mailboxes') }} as m on m.tenant_id = l.tenant_id and m.user_id = l.user_id
)

-- Nobody is meant to sign in to a shared mailbox, so that its account's silence says nothing.
select tenant_id, user_id, sku_id, 'shared_mailbox' as reason from held where is_shared_mailbox
union all
select tenant_id, user_id, sku_id, 'hr_inactive' from held where not is_shared_mailbox and hr_status = 'inactive'
union all
select tenant_id, user_id, sku_id, 'absent_from_hr' from held where not is_shared_mailbox and has_hr and hr_status is null and not is_guest
union all
select tenant_id, user_id, sku_id, 'blocked_sign_in' from held where not is_shared_mailbox and not account_enabled
union all
select tenant_id, user_id, sku_id, 'never_signed_in' from held
where not is_shared_mailbox and activity_status = 'never_active' and never_signed_in
union all
select tenant_id, user_id, sku_id, 'inactive' from held
where not is_shared_mailbox and (activity_status = 'inactive' or (activity_status = 'never_active' and not never_signed_in))
union all
select h.tenant_id, h.user_id, h.sku_id, 'duplicate_entitlement'
from held as h
join {{ ref('license_overlaps') }} as o on o.tenant_id = h.tenant_id and o.user_id = h.user_id and o.sku_id = h.sku_id
union all
select tenant_id, user_id, sku_id, 'guest' from held where not is_shared_mailbox and is_guest
